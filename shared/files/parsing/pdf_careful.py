"""PDF by pypdf: slow and written in Python, so that what breaks PDFium is an exception here."""

from collections.abc import Callable, Iterator
from functools import partial

import pypdf
from pypdf.errors import DependencyError, LimitReachedError

from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch, Unsupported
from shared.files.parsing.pages import paged
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The text of each page."""
    try:
        with sniffed.path.open("rb") as file:
            reader = pypdf.PdfReader(file)
            if reader.is_encrypted and not reader.decrypt(""):
                raise Unsupported("the document is encrypted")
            found = paged(_texts(reader), len(reader.pages), stopwatch)
    except (MemoryError, RecursionError, OverLimit, Malformed, Unsupported):
        raise
    except LimitReachedError as error:
        raise OverLimit("a part of the document inflates to too much") from error
    except DependencyError as error:
        raise Unsupported("the document is encrypted") from error
    except Exception as error:
        # Whatever a broken file makes of Python's code.
        raise Malformed(f"not a valid PDF: {str(error)[:200] or type(error).__name__}") from error
    found.warn("read by the slower of two readers, since the quicker one refused the document")
    return found


def _texts(reader: pypdf.PdfReader) -> Iterator[Callable[[], str]]:
    return (partial(_text, reader, number) for number in range(len(reader.pages)))


def _text(reader: pypdf.PdfReader, number: int) -> str:
    try:
        return reader.pages[number].extract_text()
    except (MemoryError, RecursionError):
        raise
    except LimitReachedError as error:
        raise OverLimit(f"page {number + 1} inflates to too much") from error
    except Exception as error:
        raise ValueError(str(error)) from error
