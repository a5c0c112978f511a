"""How long one publication takes to a million subscribers, and what it costs: measured where we can, else simulated.

`python -m tests.benchmarks.million [--subscribers N]` measures on this machine the CPU of one post (our sender, local
gateway in another process) and what one lane of 1,000 members costs Redis (real Valkey: commands, server time of the
scripts).  A discrete-event simulation then drains all lanes by `deliver`, sharing one Redis and the account's sends.
What it assumes of AWS stands in `Assumptions`; Lambda's share of a processor is AWS's, its speed is this machine's.
"""

import argparse
import heapq
import os
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import redis

from local.redis import ThreadedUpstash
from shared.realtime.delivery import _ADVANCE, _WAKE, channel_keys
from shared.realtime.realtime import Realtime
from shared.settings import Settings
from shared.state.client import Argument
from shared.state.keys import Key
from shared.state.scripts import Script
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.benchmarks import fan_out

CHANNEL: Final = "stadium:all"
_EVALS: Final = ("eval", "evalsha")
MEMBER: Final = 'l\n2\n0\n{epoch}\n0-0\n{{"user":"u","client":"c"}}'
_Times = Generator[float, float, None]


@dataclass(frozen=True)
class Measured:
    """Of one post: CPU in s. Of one lane: server time of both scripts in s, commands, round trips."""

    post_cpu_s: float
    claim_s: float
    advance_s: float
    commands: int
    round_trips: int


@dataclass(frozen=True)
class Assumptions:
    """What we cannot measure here; seconds, US dollars."""

    subscribers: int = 1_000_000
    lane_size: int = 1_000
    concurrency: int = 50
    sends_per_s: float = 10_000
    post_s: float = 0.010
    in_flight: int = 64
    redis_round_trip_s: float = 0.002
    queue_batch_s: float = 0.010
    invoke_s: float = 0.025
    lambda_gb: float = 1.0
    vcpu: float = 1024 / 1769
    per_send: float = 1.00e-6
    per_command: float = 2.0e-6
    per_gb_s: float = 13.3334e-6
    per_queue_request: float = 0.4e-6

    @property
    def lanes(self) -> int:
        return -(-self.subscribers // self.lane_size)


@dataclass(frozen=True)
class Outcome:
    """Seconds from the publication to the middle and the last delivery; what it took."""

    half_s: float
    last_s: float
    lambda_s: float
    redis_busy_s: float
    commands: int
    dollars: float


class _Shared:
    """What all environments share: each serves one after the other, in the order of asking."""

    def __init__(self) -> None:
        self.redis_free = self.sends_free = self.redis_busy = 0.0

    def script(self, now: float, takes: float) -> float:
        self.redis_free = max(now, self.redis_free) + takes
        self.redis_busy += takes
        return self.redis_free

    def sends(self, now: float, takes: float) -> float:
        began = max(now, self.sends_free)
        self.sends_free = began + takes
        return began


def _environment(
    waiting: deque[tuple[float, int]], shared: _Shared, m: Measured, a: Assumptions, sent: list[tuple[float, int]]
) -> _Times:
    """One `deliver` environment: lane after lane, until there are none; adds when how many were sent."""
    now = 0.0
    while waiting:
        ready, members = waiting.popleft()
        now = yield max(now, ready) + a.invoke_s + a.redis_round_trip_s
        now = yield shared.script(now, m.claim_s)
        while members:
            batch = min(a.in_flight, members)
            now = yield shared.sends(now, batch / a.sends_per_s)
            now = yield now + max(a.post_s, batch * m.post_cpu_s / a.vcpu)
            sent.append((now, batch))
            members -= batch
        now = yield shared.script(now + a.redis_round_trip_s, m.advance_s)


def simulate(m: Measured, a: Assumptions) -> Outcome:
    """Drains every lane once; lane 1 goes with the publication and counts like the others."""
    sizes = [a.lane_size] * (a.lanes - 1) + [a.subscribers - a.lane_size * (a.lanes - 1)]
    waiting = deque((i // 10 * a.queue_batch_s, size) for i, size in enumerate(sizes))
    shared, order, sent = _Shared(), count(), list[tuple[float, int]]()
    environments = (_environment(waiting, shared, m, a, sent) for _ in range(a.concurrency))
    events = [(next(one), next(order), one) for one in environments if waiting]
    busy = len(sizes) * a.invoke_s
    heapq.heapify(events)
    began = {id(one): 0.0 for _, _, one in events}
    while events:
        now, _, one = heapq.heappop(events)
        busy += now - began[id(one)]
        began[id(one)] = now
        try:
            heapq.heappush(events, (one.send(now), next(order), one))
        except StopIteration:
            continue
    return _outcome(sorted(sent), busy, shared.redis_busy, m, a)


def _outcome(sent: list[tuple[float, int]], busy: float, redis_busy: float, m: Measured, a: Assumptions) -> Outcome:
    reached, half = 0, 0.0
    for at, members in sent:
        reached += members
        half = half or (at if 2 * reached >= a.subscribers else 0.0)
    commands = a.lanes * m.commands
    queue_requests = -(-a.lanes // 10) + 2 * a.lanes
    dollars = (
        reached * a.per_send
        + commands * a.per_command
        + busy * a.lambda_gb * a.per_gb_s
        + queue_requests * a.per_queue_request
    )
    return Outcome(half, sent[-1][0], busy, redis_busy, commands, dollars)


def measure(lane_size: int = 1_000, sockets: int = 400) -> Measured:
    """On this machine; the lane is one of live members with leases, and one publication waits for them."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    with ThreadedUpstash() as upstash, redis.Redis.from_url(upstash.redis_url, decode_responses=True) as direct:
        settings = Settings(upstash_redis_rest_url=upstash.rest_url, upstash_redis_rest_token=upstash.token)
        lane = _Lane(Realtime.from_settings(settings), TenantScope("stadium", SCOPE_SEAL), direct)
        lane.fill(lane_size)
        lane.drain()
        lane.append()
        with upstash.counting() as counted:
            claim_s, advance_s = lane.drain()
    return Measured(_post_cpu_s(sockets), claim_s, advance_s, counted.commands, counted.round_trips)


@dataclass(frozen=True)
class _Lane:
    """A lane on a real server, its members made by hand."""

    realtime: Realtime
    scope: TenantScope
    direct: "redis.Redis"

    def fill(self, members: int) -> None:
        self.append()
        key = str(channel_keys(self.scope, CHANNEL)["channel"])
        text = MEMBER.format(epoch=str(self.direct.hget(key, "e")))
        names = [f"socket-{i:06}" for i in range(members)]
        self.direct.hset(key, mapping={f"m:{name}": text for name in names})
        self.direct.zadd(str(self.scope.key("leases")), dict.fromkeys(names, time.time() * 1000 + 500_000))

    def append(self) -> None:
        """A publication that its own drain does not send, because somebody else seems to hold the lane."""
        key = str(channel_keys(self.scope, CHANNEL)["channel"])
        self.direct.hset(key, mapping={"o": "somebody", "d": 1 << 45})
        self.realtime.channels.publish(self.scope, CHANNEL, b'"goal"')
        self.direct.hset(key, "o", "")

    def drain(self) -> tuple[float, float]:
        """Server time of the claim and of the advance that follows when everybody got everything."""
        event = self.realtime.delivery.event(self.scope, CHANNEL)
        claim, claim_s = self._run(_WAKE, event.lane_args, event.lane_keys)
        epoch, hi, *_ = claim
        done, advance_s = self._run(
            _ADVANCE, {**event.lane_args, "epoch": epoch, "hi": hi, "all": 1, "more": 1}, event.lane_keys
        )
        if done != "done":
            raise RuntimeError(f"the lane was not done: {done}")
        return claim_s, advance_s

    def _run(self, script: Script, args: dict[str, Argument], keys: dict[str, Key]) -> tuple[Any, float]:
        before = self._script_seconds()
        answer = self.realtime.redis.run(script, keys, args)
        return answer, self._script_seconds() - before

    def _script_seconds(self) -> float:
        stats = self.direct.info("commandstats")
        return sum(float(stats[f"cmdstat_{name}"]["usec"]) for name in _EVALS if f"cmdstat_{name}" in stats) / 1e6


def _post_cpu_s(sockets: int) -> float:
    with fan_out.running_gateway(sockets) as (endpoint, connections):
        send = fan_out.by_our_sender(endpoint)
        return fan_out.measure("ours", send, connections, rounds=3).cpu_s / sockets


CASES: Final = {
    "default: 50 `deliver`, 10,000 sends/s": {},
    "sends raised to 100,000/s": {"sends_per_s": 100_000.0},
    "and 500 `deliver`": {"sends_per_s": 100_000.0, "concurrency": 500},
}


def table(m: Measured, subscribers: int) -> str:
    """Markdown: what was measured, then one row a case."""
    rows = [
        f"Measured: {m.post_cpu_s * 1e6:,.0f} µs of CPU a post; a lane's scripts take Redis {m.claim_s * 1e3:.1f} + "
        f"{m.advance_s * 1e3:.1f} ms, {m.commands} commands in {m.round_trips} round trips.",
        "",
        f"| one publication to {subscribers:,} | half have it | all have it | Lambda | Redis busy | commands | cost |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, changes in CASES.items():
        got = simulate(m, replace(Assumptions(subscribers=subscribers), **changes))  # type: ignore[arg-type]
        rows.append(
            f"| {name} | {got.half_s:,.1f} s | {got.last_s:,.1f} s | {got.lambda_s:,.0f} s | {got.redis_busy_s:,.1f} s "
            f"| {got.commands:,} | ${got.dollars:,.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    print(table(measure(), parser.parse_args().subscribers))  # noqa: T201


if __name__ == "__main__":
    main()
