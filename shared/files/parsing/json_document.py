"""JSON, streamed: an array is read item by item, so that its size does not matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

import ijson  # type: ignore[import-untyped]

from shared.files.parsing.encodings import Encoding
from shared.files.parsing.fields import Rows
from shared.files.parsing.json_depth import Readable, refuse_deep
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.source import Source

_ITEMS_BETWEEN_LOOKS = 1_000


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The document; Malformed when it is not JSON to its end."""
    source, encoding = sniffed.source, sniffed.encoding
    found = Found("json", encoding.label)
    rows = Rows(found)
    try:
        refuse_deep(partial(_utf8, source, encoding), stopwatch)
    except (ijson.JSONError, UnicodeError) as error:
        raise Malformed(f"not valid JSON: {_first_line(error)}") from error
    with _utf8(source, encoding) as stream:
        is_array = _first_character(stream) == b"["
    with _utf8(source, encoding) as stream:
        try:
            for item in _items(stream, is_array):
                rows.take(item)
                if rows.count % _ITEMS_BETWEEN_LOOKS == 0:
                    stopwatch.check()
        except OverLimit as limit:
            found.limited = str(limit)
        except (ijson.JSONError, UnicodeError) as error:
            raise Malformed(f"not valid JSON: {_first_line(error)}") from error
    rows.tell()
    if not is_array:
        found.row_count = None
    return found


def _items(stream: Readable, is_array: bool) -> Iterator[Any]:
    items: Iterator[Any] = ijson.items(stream, "item" if is_array else "", use_float=True)
    return items


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
