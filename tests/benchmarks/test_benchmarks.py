"""The benchmarks still run; what they measure is for people to read."""

from tests.benchmarks import fan_out


def test_the_fan_out_benchmark_delivers_everything_each_way() -> None:
    rows = fan_out.run(sockets=20, rounds=1).splitlines()
    assert [row.split("|")[1].strip() for row in rows[4:]] == list(fan_out.WAYS)
