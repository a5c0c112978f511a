"""Plain text and Markdown: its beginning, and how many lines it has."""

from shared.files.parsing import limits
from shared.files.parsing.limits import OverLimit, Stopwatch
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.undecodable import ERRORS, Undecodable

_CHUNK = 1 << 20


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The text; `row_count` is the number of its lines."""
    encoding = sniffed.encoding
    found = Found("text", encoding.label)
    if encoding.guessed:
        found.warn(f"the encoding is not UTF-8 and was guessed: {encoding.codec}")
    kept, lines, last, undecodable = "", 0, "\n", Undecodable()
    try:
        with sniffed.source.open_text(encoding.codec, ERRORS) as file:
            while chunk := file.read(_CHUNK):
                chunk = undecodable.mended(chunk, lines + 1)
                kept += chunk[: max(0, limits.TEXT_CHARACTERS + 1 - len(kept))]
                lines, last = lines + chunk.count("\n"), chunk[-1]
                stopwatch.check()
    except OverLimit as limit:
        found.limited = str(limit)
    if len(kept) > limits.TEXT_CHARACTERS:
        found.warn(f"only the first {limits.TEXT_CHARACTERS} characters are shown")
    undecodable.tell(found)
    found.text = kept[: limits.TEXT_CHARACTERS]
    found.row_count = lines + (last != "\n")
    return found
