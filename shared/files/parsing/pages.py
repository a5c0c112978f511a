"""Text of documents: page by page where there are pages, and no more of it than is shown."""

from collections.abc import Callable, Iterable

from shared.files.parsing import limits
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.result import Found

PAGE_BREAK = "\f"


def paged(texts: Iterable[Callable[[], str]], count: int, stopwatch: Stopwatch) -> Found:
    """A document of `count` pages: `text` with a form feed between pages, `preview` of the first pages.

    A page whose text raises ValueError is told in a warning and shown as empty; Malformed when all of them do.
    """
    found = Found("document", pages=count)
    pages = _Pages(found)
    try:
        for number, text in enumerate(texts, 1):
            stopwatch.check()
            if number > limits.PAGES:
                raise OverLimit(f"the document has {count} pages; only {limits.PAGES} were read")
            if pages.full:
                break
            pages.take(text)
    except OverLimit as limit:
        found.limited = str(limit)
    pages.tell()
    return found


class _Pages:
    def __init__(self, found: Found) -> None:
        self._found = found
        self._texts: list[str] = []
        self._length = 0
        self._bad: list[int] = []
        self._more = False

    @property
    def full(self) -> bool:
        """No more pages are shown."""
        self._more = self._length >= limits.TEXT_CHARACTERS
        return self._more

    def take(self, text: Callable[[], str]) -> None:
        """Adds a page."""
        try:
            page = _tidied(text())
        except ValueError:
            page = ""
            self._bad.append(len(self._texts) + 1)
        self._texts.append(page)
        self._length += len(page) + len(PAGE_BREAK)

    def tell(self) -> None:
        found = self._found
        if self._bad and len(self._bad) == len(self._texts):
            raise Malformed("not a valid PDF: none of its pages can be read")
        found.schema = [_column("page", "integer"), _column("text", "string")]
        shown = enumerate(self._texts[: limits.PREVIEW_ROWS], 1)
        found.preview = [{"page": number, "text": text[: limits.CELL_CHARACTERS]} for number, text in shown]
        show(found, PAGE_BREAK.join(self._texts), more=self._more)
        if self._bad:
            found.warn(f"pages could not be read: {len(self._bad)}, first page {self._bad[0]}")
        if not any(map(str.strip, self._texts)):
            found.warn("no text was found: the pages may be pictures")


def show(found: Found, text: str, more: bool = False) -> None:
    """Keeps as much of the text as is shown; `more` when there is more than `text`."""
    found.text = text[: limits.TEXT_CHARACTERS]
    if more or len(text) > limits.TEXT_CHARACTERS:
        found.warn(f"only the first {limits.TEXT_CHARACTERS} characters are shown")


def _column(name: str, kind: str) -> dict[str, object]:
    return {"name": name, "type": kind, "nullable": False, "examples": []}


def _tidied(text: str) -> str:
    # PDFium marks the hyphens that it found at line ends.
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-").replace("\0", "").strip("\f")
