"""Another tenant with the same names: a short life, which must look the same whatever happens beside it."""

import re
from collections.abc import Callable, Iterator

import redis

from tests.support.simulated_world import ROOM, Tenant, World


def acts_of(world: World, tenant: Tenant) -> Iterator[Callable[[], object]]:
    """A short life with everything in it that needs no fault."""
    ann, second, bob = tenant.clients
    yield lambda: ann.connect(eagerly=True)
    yield lambda: bob.connect(eagerly=False)
    yield lambda: world.publish(tenant, ROOM)
    yield lambda: bob.publish(tenant.next_value())
    yield lambda: bob.times_out()
    yield lambda: second.connect(eagerly=True)
    yield lambda: world.publish(tenant, "user:ann")
    yield second.unsubscribe
    yield second.subscribe
    yield lambda: bob.connect(eagerly=True)
    yield lambda: world.publish(tenant, ROOM)
    yield lambda: second.unsubscribe()


def undisturbed(world: World, tenant: Tenant, act: Callable[[], object]) -> None:
    """Does it and all that follows from it, while everybody else stands still."""
    simulation, others = world.simulation, list(world.simulation.handlers)
    act()
    while True:
        mine = [handler for handler in simulation.handlers if handler not in others]
        queued = [message for message in simulation.queue if tenant.scope.label in message]
        if mine:
            simulation.finish(mine[0])
        elif queued:
            simulation.queue.remove(queued[0])
            world.deliver(queued[0])
        else:
            return


def seen_by(tenant: Tenant) -> list[str]:
    """All its clients' frames, without what is random in them."""
    found = [f"{socket.connection}: {frame}" for socket in tenant.sockets for frame in socket.frames]
    return [re.sub(r'"epoch":"[^"]*"', "", text) for text in found]


def life_alone(server: "redis.Redis", lane_size: int) -> list[list[str]]:
    """What the tenant's clients have seen before the first act, and after each."""
    world = World(server, lane_size)
    with world.simulation:
        tenant = world.tenant("b", lambda: 0)
        seen: list[list[str]] = [[]]
        for act in acts_of(world, tenant):
            undisturbed(world, tenant, act)
            seen.append(seen_by(tenant))
        return seen
