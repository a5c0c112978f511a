"""A clock that can run fast and be stepped, so that ten idle minutes and two hours can be had in a test."""

import time


class Clock:
    """Seconds from some start, `rate` times as fast as real time; `rate` 0 stands still until stepped."""

    def __init__(self, rate: float = 1.0) -> None:
        self._rate = rate
        self._started = time.monotonic()
        self._stepped = 0.0

    def __call__(self) -> float:
        return (time.monotonic() - self._started) * self._rate + self._stepped

    def step(self, seconds: float) -> None:
        self._stepped += seconds
