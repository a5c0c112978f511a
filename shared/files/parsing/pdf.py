"""PDF by PDFium, which is quick and which a hostile file can abort: then `pdf_careful` reads it in another child."""

from collections.abc import Callable, Iterator
from functools import partial

import pypdfium2

from shared.files.parsing import limits, pdf_careful
from shared.files.parsing.limits import Malformed, Stopwatch, Unsupported
from shared.files.parsing.pages import paged
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The text of each page. What PDFium refuses is tried by the other reader."""
    try:
        with pypdfium2.PdfDocument(sniffed.path) as document:
            return paged(_texts(document), len(document), stopwatch)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unsupported("the document is encrypted") from error
    except Malformed:
        pass
    return pdf_careful.read(sniffed, stopwatch)


def _texts(document: pypdfium2.PdfDocument) -> Iterator[Callable[[], str]]:
    return (partial(_text, document, number) for number in range(len(document)))


def _text(document: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = document[number]
        textpage = page.get_textpage()
        count = min(textpage.count_chars(), limits.TEXT_CHARACTERS)
        text = textpage.get_text_range(0, count) if count > 0 else ""
        textpage.close()
        page.close()
    except pypdfium2.PdfiumError as error:
        raise ValueError(str(error)) from error
    return str(text)
