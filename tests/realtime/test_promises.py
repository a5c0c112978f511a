"""Delivery keeps its promises (DESIGN §6) whatever dies, pauses, is lost or comes late: a machine tries to break them.

`PROMISES_EXAMPLES=2000 pytest tests/realtime/test_promises.py` looks longer, and each time elsewhere.
"""

from itertools import islice
from typing import Any

import pytest
import redis
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.realtime import delivery, upkeep
from tests.support.draws import ASKED, BUDGET, LISTENING, LONG, PROFILE, ROUNDS, SETTLED, SOME, STEPS
from tests.support.neighbour import acts_of, life_alone, seen_by, undisturbed
from tests.support.promises import Truth, chosen
from tests.support.simulated_client import Client
from tests.support.simulated_world import ROOM, USERS, World
from tests.support.simulation import FAULTS, Clock, Fate, Handler


class Promises(RuleBasedStateMachine):
    """One tenant to which everything happens, and a neighbour to whom nothing does."""

    def __init__(self, server: "redis.Redis", alone: dict[int, list[list[str]]]) -> None:
        super().__init__()
        self._server, self._alone = server, alone

    @initialize(budget=BUDGET, lane_size=st.sampled_from([1_000, 1_000, 2]), settled=SETTLED, listening=LISTENING)
    def begin(self, budget: int, lane_size: int, settled: bool, listening: tuple[int, ...]) -> None:
        self.world = World(self._server, lane_size)
        self.simulation = self.world.simulation.__enter__()
        self.budget, self.hash_lost, self.acted = budget, False, 0
        self.tenant = self.world.tenant("a", lambda: self.simulation.faults, listening)
        self.neighbour = self.world.tenant("b", lambda: 0)
        self.neighbour_acts = acts_of(self.world, self.neighbour)
        self.expected = self._alone[lane_size]
        if settled:
            self._gather()

    # Clients; whatever somebody begins goes some steps at once.

    @rule(i=SOME, eagerly=st.booleans(), steps=STEPS)
    def connect(self, i: int, eagerly: bool, steps: int) -> None:
        client = self.client(i)
        if client.socket is None:
            client.connect(eagerly=eagerly)
            self.begin_with(steps)

    @rule(i=SOME, steps=STEPS)
    def subscribe_or_unsubscribe(self, i: int, steps: int) -> None:
        client = self.client(i)
        client.unsubscribe() if client.wants else client.subscribe()
        self.begin_with(steps)

    @rule(i=SOME, order=st.permutations([-1, -2]), steps=STEPS)
    def flip(self, i: int, order: list[int], steps: int) -> None:
        """React's StrictMode; the frames race."""
        client = self.client(i)
        client.subscribe()
        client.unsubscribe()
        client.subscribe()
        for which in order:
            self.begin_with(steps, which)

    @rule(i=SOME, cut=st.booleans(), back=st.booleans(), steps=STEPS)
    def drop(self, i: int, cut: bool, back: bool, steps: int) -> None:
        """The network breaks, or the client gives up waiting; cut off, API Gateway does not see it go."""
        client = self.client(i)
        if client.socket is None:
            return
        client.socket.cut = cut
        client.closed() if cut else client.times_out()
        if back:
            client.connect(eagerly=True)
            self.begin_with(steps)

    # The server's side.

    @rule(
        channel=st.sampled_from([ROOM, ROOM, ROOM, "user:ann"]),
        key=st.sampled_from(["", "a", "b"]),
        steps=STEPS,
    )
    def publish(self, channel: str, key: str, steps: int) -> None:
        once = f"{key}{len(self.simulation.trail)}" if key else ""
        self.world.publish(self.tenant, channel, once)
        self.begin_with(steps)

    @rule(i=SOME, steps=STEPS)
    def publish_as_client(self, i: int, steps: int) -> None:
        if self.client(i).publish(self.tenant.next_value()):
            self.begin_with(steps)

    @rule(steps=STEPS)
    def remove_history(self, steps: int) -> None:
        self.world.remove_history(self.tenant)
        self.begin_with(steps)

    @rule(i=SOME, steps=STEPS)
    def kick(self, i: int, steps: int) -> None:
        socket = self.client(i).socket
        if socket is not None:
            self.world.kick(self.tenant, socket.connection)
            self.begin_with(steps)

    @rule(asked=ASKED, gathered=SETTLED, back=st.booleans(), steps=STEPS, then=STEPS)
    def ask_back(self, asked: tuple[int, ...], gathered: bool, back: bool, steps: int, then: int) -> None:
        """Two hours are nearly over."""
        if gathered:
            self._gather()
        clients = [client for client in map(self.client, asked) if client.socket is not None]
        self.world.ask_back(self.tenant, [client.socket.connection for client in clients if client.socket])
        self.begin_with(steps)
        for client in clients:
            if back and client.socket is None:
                client.connect(eagerly=True)
                self.begin_with(then)

    def _gather(self) -> None:
        """Everybody is here who is not stuck in something."""
        for client in self.tenant.clients:
            client.subscribe()
            if client.socket is None:
                client.connect(eagerly=True)
        self._run_all()

    @precondition(lambda self: self.tenant.room.awaited)
    @rule(steps=STEPS)
    def give_up(self, steps: int) -> None:
        """Whoever was asked to come again has had his time."""
        self.world.give_up(self.tenant.room)
        self.world.sweep(self.tenant)
        self.begin_with(steps)

    @rule(i=SOME, again=st.booleans(), lost=st.booleans(), steps=STEPS)
    def catch_up(self, i: int, again: bool, lost: bool, steps: int) -> None:
        """What comes by itself, late or twice or never: queue messages, `$disconnect`, the sweep."""
        queue, hangups = self.simulation.queue, self.tenant.hangups
        if queue and i % 3:
            message = queue[i % len(queue)] if again else queue.pop(i % len(queue))
            if not lost:
                self.world.deliver(message)
        elif hangups:
            self.world.disconnected(hangups.pop(i % len(hangups)))
        else:
            self.world.sweep(self.tenant)
        self.begin_with(steps)

    # Handlers under way.

    @precondition(lambda self: self.simulation.handlers)
    @rule(schedule=st.lists(st.tuples(SOME, st.integers(0, 2)), min_size=1, max_size=12))
    def go_on(self, schedule: list[tuple[int, int]]) -> None:
        for i, pick in schedule:
            if self.simulation.handlers:
                self.simulation.step(self.handler(i), pick=pick)

    @precondition(lambda self: self.simulation.handlers)
    @rule(i=SOME, slow=st.booleans())
    def finish(self, i: int, slow: bool) -> None:
        """If slow, it has no time for others' deliveries, but for its lease."""
        handler = self.handler(i)
        handler.clock_s += 1.0 if slow else 0.0
        self.simulation.finish(handler)

    @precondition(lambda self: self.simulation.handlers)
    @rule(i=SOME, pick=st.integers(0, 2))
    def throttle(self, i: int, pick: int) -> None:
        self.simulation.step(self.handler(i), Fate.THROTTLED, pick)

    @precondition(lambda self: self.simulation.handlers)
    @rule(i=SOME, steps=STEPS)
    def stop_sending(self, i: int, steps: int) -> None:
        """Some have got their part of a batch, and for the others no time is left."""
        handler = self.handler(i)
        self.go(handler, steps)
        if not handler.ended:
            self.simulation.step(handler, Fate.UNREACHED)

    # Faults.

    @precondition(lambda self: self.simulation.handlers and self.may_fail())
    @rule(i=SOME, fate=st.sampled_from(FAULTS), pick=st.integers(0, 2))
    def fail(self, i: int, fate: Fate, pick: int) -> None:
        self.simulation.step(self.handler(i), fate, pick)

    @precondition(lambda self: self.may_fail())
    @rule(i=SOME, dies=st.booleans(), fate=st.sampled_from(FAULTS), flips=st.booleans(), steps=STEPS, then=STEPS)
    def take_over(self, i: int, dies: bool, fate: Fate, flips: bool, steps: int, then: int) -> None:
        """A holder dies, or sleeps for longer than its lease and goes on after others found the lane free."""
        if not self.held_lanes():
            self.world.publish(self.tenant, ROOM)
            self.begin_with(2)
        if not self.held_lanes():
            return
        key = chosen(self.held_lanes(), i)
        owner = self.world.owner(key)
        if dies and owner is not None and not owner.ended:
            self.simulation.step(owner, fate)
        self.world.expire(key)
        if flips:
            self.flip(i, [-2, -1], steps)
        self.world.publish(self.tenant, ROOM)
        self.begin_with(steps)
        if owner is not None:
            self.go(owner, then)

    @precondition(lambda self: self.simulation.late)
    @rule(i=SOME)
    def arrive_late(self, i: int) -> None:
        self.simulation.late.pop(i % len(self.simulation.late))()
        self.simulation.check()

    @precondition(lambda self: self.may_fail())
    @rule(i=SOME, kept=st.integers(0, 2))
    def trim_log(self, i: int, kept: int) -> None:
        truth = self.truth(i)
        gone = len(truth.logs.get(truth.epoch, [])) - kept
        if gone > 0:
            self._server.xtrim(truth.log_key, maxlen=kept, approximate=False)
            truth.damage(gone)
            self.simulation.note(f"{truth.channel} keeps {kept}")

    @precondition(lambda self: self.may_fail())
    @rule(i=SOME)
    def end_history(self, i: int) -> None:
        truth = self.truth(i)
        if self._server.hexists(truth.key, "lx"):
            self._server.hset(truth.key, "lx", 1)
            truth.damage(0)
            self.simulation.note(f"history of {truth.channel} ends")

    @precondition(lambda self: not self.simulation.handlers and self.may_fail())
    @rule()
    def lose_hash(self) -> None:
        """Whoever is in the room learns of it by his next reconnect, which is at most two hours away."""
        self._server.delete(*self.tenant.room.lane_keys())
        self.tenant.room.forget()
        self.simulation.faults += 1
        self.hash_lost = True
        self.simulation.note("room's hash is lost")

    @precondition(lambda self: self.tenant.room.lanes > 1 and not (self.simulation.handlers or self.simulation.late))
    @rule()
    def empty_lanes_go(self) -> None:
        self.world.pass_quarter_of_an_hour(self.tenant.room)
        self.simulation.finish(self.world.sweep(self.tenant))

    # Another tenant, with the same names.

    @rule(acts=st.integers(1, 2))
    def neighbour_acts_undisturbed(self, acts: int) -> None:
        for act in islice(self.neighbour_acts, acts):
            undisturbed(self.world, self.neighbour, act)
            self.acted += 1

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.simulation.check()
            self._heal()
            self._nobody_is_stranded()
            self._no_lane_is_kept_for_nobody()
            assert seen_by(self.neighbour) == self.expected[self.acted]
        except BaseException:
            for line in self.simulation.trail:
                note(line)
            raise
        finally:
            self.simulation.__exit__()

    def _heal(self) -> None:
        """No more faults: what is under way ends, what is late arrives, those who closed are reaped."""
        self.simulation.note("healing")
        while self.simulation.late:
            self.simulation.late.pop(0)()
        self._run_all()
        for _ in range(ROUNDS):
            for key in self.lanes():
                self.world.expire(key)
            self.world.give_up(self.tenant.room)
            self.simulation.queue.clear()
            self.world.sweep(self.tenant)
            self._run_all()
            self._reap()
            again = [client for client in self.tenant.clients if client.stuck or self.hash_lost]
            if not (again or self.held_lanes() or self.simulation.queue):
                return
            self.hash_lost = False
            for client in again:
                client.times_out()
                client.connect(eagerly=True)
            self._run_all()

    def _run_all(self) -> None:
        while self.simulation.handlers:
            self.simulation.step(self.simulation.handlers[0])

    def _deliver_all(self) -> None:
        while self.simulation.queue:
            self.simulation.finish(self.world.deliver(self.simulation.queue.pop(0)))

    def _reap(self) -> None:
        """Hours pass: leases of those who have gone end, and API Gateway closes sockets that nobody keeps alive."""
        leases = str(self.tenant.scope.key("leases"))
        for socket in self.tenant.sockets:
            if socket.cut or socket.connection not in self.simulation.sockets:
                self._server.zadd(leases, {socket.connection: 1}, xx=True)
        self.world.end_leases(self.tenant)
        self._run_all()
        for socket in self.tenant.sockets:
            if self._server.zscore(leases, socket.connection) is None:
                self.simulation.hang_up(socket.connection)

    def _nobody_is_stranded(self) -> None:
        self._everybody_has_what_was_acknowledged()
        for channel in self.tenant.channels:
            self.simulation.finish(self.world.publish(self.tenant, channel))
        self._deliver_all()
        self._everybody_has_what_was_acknowledged()
        assert not any(client.room.misses() for client in self.tenant.clients if client.wants)

    def _no_lane_is_kept_for_nobody(self) -> None:
        room = self.tenant.room
        self.world.pass_quarter_of_an_hour(room)
        self.simulation.finish(self.world.sweep(self.tenant))
        newest = self._server.hkeys(room.lane_keys()[-1])
        assert room.lanes == 1 or any(str(field).startswith("m:") for field in newest)

    def _everybody_has_what_was_acknowledged(self) -> None:
        tenant = self.tenant
        acknowledged = tenant.acknowledged.union(*(client.acknowledged for client in tenant.clients))
        members = {client.socket.connection for client in tenant.clients if client.socket and client.wants}
        assert tenant.room.members.keys() == members
        assert not tenant.room.awaited
        assert not any(member.joining for member in tenant.room.members.values())
        for client in tenant.clients:
            assert client.connected
            assert client.state == ("subscribed" if client.wants else "unsubscribed")
            for story in [client.personal, *([client.room] if client.wants else [])]:
                assert not acknowledged & {heard.what for heard in story.misses()}

    def may_fail(self) -> bool:
        return self.simulation.faults < self.budget

    def client(self, i: int) -> Client:
        return chosen(self.tenant.clients, i)

    def handler(self, i: int) -> Handler:
        return chosen(self.simulation.handlers, i)

    def truth(self, i: int) -> Truth:
        return chosen(list(self.tenant.truths.values()), i)

    def begin_with(self, steps: int, which: int = -1) -> None:
        """The newest handler's first steps, or the one's before it."""
        if len(self.simulation.handlers) >= -which:
            self.go(self.simulation.handlers[which], steps)

    def go(self, handler: Handler, steps: int) -> None:
        for _ in range(steps):
            if not handler.ended:
                self.simulation.step(handler)

    def held_lanes(self) -> list[str]:
        return [key for key in self.lanes() if self._server.hget(key, "o")]

    def lanes(self) -> list[str]:
        return [key for truth in self.tenant.truths.values() for key in truth.lane_keys()]


@pytest.mark.timeout(120 + LONG)
def test_no_order_of_events_and_faults_breaks_a_promise(server: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (delivery, upkeep):
        monkeypatch.setattr(module, "time", Clock())
    alone = {lane_size: life_alone(server, lane_size) for lane_size in (1_000, 2)}
    assert len(alone[1_000][-1]) > len(USERS)
    machine: Any = lambda: Promises(server, alone)  # noqa: E731
    run_state_machine_as_test(machine, settings=PROFILE)
