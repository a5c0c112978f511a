"""Token buckets for the account's, the routes' and the new connections' limits."""

import time
from collections.abc import Callable, Mapping

from local.gateway.settings import Throttle


class TokenBucket:
    """Starts full; `clock` gives seconds."""

    def __init__(self, throttle: Throttle, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = throttle.rate
        self._burst = float(throttle.burst)
        self._clock = clock
        self._tokens = self._burst
        self._refilled = clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled) * self._rate)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RouteThrottles:
    """One bucket per throttled route; the other routes are free."""

    def __init__(self, throttles: Mapping[str, Throttle]) -> None:
        self._buckets = {key: TokenBucket(throttle) for key, throttle in throttles.items()}

    def take(self, route_key: str) -> bool:
        bucket = self._buckets.get(route_key)
        return bucket is None or bucket.take()
