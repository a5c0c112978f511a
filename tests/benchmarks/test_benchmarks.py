"""The benchmarks still run; what they measure is for people to read."""

from dataclasses import replace

import pytest

from tests.benchmarks import fan_out, million
from tests.benchmarks.million import Assumptions, Measured, simulate

FREE = Measured(post_cpu_s=0, claim_s=0, advance_s=0, commands=11, round_trips=2)


def test_the_fan_out_benchmark_delivers_everything_each_way() -> None:
    rows = fan_out.run(sockets=20, rounds=1).splitlines()
    assert [row.split("|")[1].strip() for row in rows[4:]] == list(fan_out.WAYS)


def test_the_model_of_a_million_measures_and_shows_every_case() -> None:
    measured = million.measure(lane_size=50, sockets=10)
    assert (measured.commands, measured.round_trips) == (10, 2)
    assert measured.claim_s > 0 < measured.advance_s
    assert len(million.table(measured, 3_000).splitlines()) == 4 + len(million.CASES)


NOTHING_TAKES_TIME = Assumptions(
    subscribers=10_240, lane_size=1_024, concurrency=2, sends_per_s=1e12, post_s=0, redis_round_trip_s=0,
    queue_batch_s=0, invoke_s=0, vcpu=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("costs", "assumed", "seconds"),
    [
        ({}, {"sends_per_s": 1_024}, 10 - 64 / 1_024),
        ({}, {"post_s": 0.5}, 5 * 16 * 0.5),
        ({"post_cpu_s": 1 / 1_024}, {}, 5),
        ({"claim_s": 1}, {}, 10),
        ({"claim_s": 1, "advance_s": 1}, {"concurrency": 1}, 19),
        ({}, {"invoke_s": 1}, 5),
    ],
    ids=["account", "latency", "processor", "redis", "one environment", "invocations"],
)
def test_the_model_finds_each_bottleneck(costs: dict[str, float], assumed: dict[str, float], seconds: float) -> None:
    got = simulate(replace(FREE, **costs), replace(NOTHING_TAKES_TIME, **assumed))  # type: ignore[arg-type]
    assert got.last_s == pytest.approx(seconds)
    assert got.commands == 110
