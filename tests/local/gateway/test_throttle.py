"""The token bucket that all throttles share, by a clock of its own."""

from local.gateway import Throttle
from local.gateway.throttle import RouteThrottles, TokenBucket


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    now = 0.0
    bucket = TokenBucket(Throttle(rate=2, burst=3), clock=lambda: now)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take(), bucket.take()] == [True, False]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    now = 0.0
    bucket = TokenBucket(Throttle(rate=100, burst=2), clock=lambda: now)
    now = 3600.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_routes_have_buckets_of_their_own_or_none() -> None:
    throttles = RouteThrottles({"a": Throttle(rate=0, burst=1), "b": Throttle(rate=0, burst=1)})
    assert [throttles.take("a"), throttles.take("a"), throttles.take("b")] == [True, False, True]
    assert all(throttles.take("free") for _ in range(10))
