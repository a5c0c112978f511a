"""JSON, streamed: an array is read item by item, so that its size does not matter."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import partial
from typing import IO, Any

import ijson  # type: ignore[import-untyped]

from shared.files.parsing.encodings import Encoding
from shared.files.parsing.fields import Rows
from shared.files.parsing.json_depth import Readable, refuse_deep
from shared.files.parsing.json_line import finite
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.source import Source

_ITEMS_BETWEEN_LOOKS = 1_000
Opened = Callable[[], AbstractContextManager[Readable]]


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The document; Malformed when it is not JSON to its end."""
    opened = partial(_utf8, sniffed.source, sniffed.encoding)
    try:
        refuse_deep(opened, stopwatch)
        with opened() as stream:
            is_array = _first_character(stream) == b"["
        return _read(sniffed, opened, is_array, stopwatch)
    except (ijson.JSONError, UnicodeError) as error:
        raise Malformed(f"not valid JSON: {_first_line(error)}") from error


def _read(sniffed: Sniffed, opened: Opened, is_array: bool, stopwatch: Stopwatch) -> Found:
    try:
        return _found(sniffed, _items(opened, is_array), is_array, stopwatch)
    except ijson.JSONError as error:
        if "overflow" not in str(error):
            raise
    # C's numbers do not hold it, and the reader in C crashes at longer ones than Python's (ijson 3.6).
    exact = map(_plain, _items(opened, is_array, ijson.get_backend("python"), use_float=False))
    try:
        return _found(sniffed, exact, is_array, stopwatch)
    except ijson.JSONError as error:
        raise Malformed("not valid JSON, or a number has too many digits") from error


def _found(sniffed: Sniffed, items: Iterable[Any], is_array: bool, stopwatch: Stopwatch) -> Found:
    found = Found("json", sniffed.encoding.label)
    rows = Rows(found)
    try:
        for item in items:
            rows.take(item)
            if rows.count % _ITEMS_BETWEEN_LOOKS == 0:
                stopwatch.check()
    except OverLimit as limit:
        found.limited = str(limit)
    rows.tell()
    if not is_array:
        found.row_count = None
    return found


def _items(opened: Opened, is_array: bool, backend: Any = ijson, use_float: bool = True) -> Iterator[Any]:
    with opened() as stream:
        yield from backend.items(stream, "item" if is_array else "", use_float=use_float)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return finite(str(value))
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value


@contextmanager
def _utf8(source: Source, encoding: Encoding) -> Iterator[Readable]:
    if encoding.codec == "utf-8":
        with source.open() as file:
            yield file
    else:
        with source.open_text(encoding.codec, newline="") as text:
            yield _Transcoded(text)


class _Transcoded:
    def __init__(self, text: IO[str]) -> None:
        self._text = text

    def read(self, size: int = -1, /) -> bytes:
        return self._text.read(size).encode("utf-8", "surrogatepass")


def _first_character(stream: Readable) -> bytes:
    while chunk := stream.read(1 << 16):
        stripped = chunk.lstrip()
        if stripped:
            return stripped[:1]
    return b""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
