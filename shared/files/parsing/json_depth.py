"""Refuses JSON that is nested deeply, before a reader spends memory by the square of the depth on it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Final, Protocol

import ijson  # type: ignore[import-untyped]

from shared.files.parsing import limits
from shared.files.parsing.limits import OverLimit, Stopwatch

_CHUNK: Final = 1 << 20
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = {**dict.fromkeys(b"[{", 1), **dict.fromkeys(b"]}", -1)}
_EVENTS: Final = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}
_EVENTS_BETWEEN_LOOKS: Final = 100_000


class Readable(Protocol):
    """What ijson reads."""

    def read(self, size: int = -1, /) -> bytes: ...


def refuse_deep(opened: Callable[[], AbstractContextManager[Readable]], stopwatch: Stopwatch) -> None:
    """Raises OverLimit for deep nesting and ijson.JSONError for what is no JSON; `opened` gives the stream anew."""
    with opened() as stream:
        looks_deep = _looks_deep(stream)
    if looks_deep:
        with opened() as stream:
            _count(stream, stopwatch)


def _looks_deep(stream: Readable) -> bool:
    # Brackets within strings count as well: that only costs the exact count.
    depth = 0
    while chunk := stream.read(_CHUNK):
        depths = list(accumulate(_steps(chunk), initial=depth))
        if max(depths) - min(0, *depths) > limits.DEPTH:
            return True
        depth = max(0, depths[-1])
    return False


def _steps(chunk: bytes) -> Iterator[int]:
    return map(_STEPS.__getitem__, chunk.translate(None, _NO_BRACKETS))


def _count(stream: Readable, stopwatch: Stopwatch) -> None:
    depth = 0
    for number, (event, _) in enumerate(ijson.basic_parse(stream)):
        depth += _EVENTS.get(event, 0)
        if depth > limits.DEPTH:
            raise OverLimit(f"the content is nested deeper than {limits.DEPTH} levels")
        if number % _EVENTS_BETWEEN_LOOKS == 0:
            stopwatch.check()
