"""PDF: text per page, by whichever of two readers stands the file."""

import json

import pytest

from shared.files.parsing import limits, pdf_careful
from shared.files.parsing.limits import Stopwatch
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.source import Source
from tests.files.parsing.conftest import Reader
from tests.files.parsing.pdfs import doubly_deflated, looping_pages, pages, pdf, shown, stream


def test_the_text_of_each_page_is_told(reader: Reader) -> None:
    result = reader.result(pages(shown("First page"), shown("Zw\xf6lf"), shown("")), "a.pdf")
    assert (result["kind"], result["pages"], result["text"]) == ("document", 3, "First page\fZwölf\f")
    assert result["preview"] == [
        {"page": 1, "text": "First page"},
        {"page": 2, "text": "Zwölf"},
        {"page": 3, "text": ""},
    ]
    assert result["warnings"] == []


def test_both_readers_find_the_same_text(reader: Reader) -> None:
    path = reader.written(pages(shown("One, two"), shown("three")))
    found = pdf_careful.read(Sniffed("pdf", path, Source(path)), Stopwatch(60))
    assert (found.text, found.pages) == ("One, two\fthree", 2)


def test_a_document_of_pictures_has_no_text_and_says_so(reader: Reader) -> None:
    result = reader.result(pages(stream(b"0 0 10 10 re f")))
    assert (result["text"], result["warnings"]) == ("", ["no text was found: the pages may be pictures"])


def test_long_documents_are_cut_and_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAGES", 2)
    outcome = reader.read(pages(*map(shown, "abc")))
    assert (outcome.status, outcome.detail) == ("limited", "the document has 3 pages; only 2 were read")
    monkeypatch.setattr(limits, "TEXT_CHARACTERS", 3)
    result = reader.result(pages(*map(shown, ("abc", "de"))))
    assert (result["text"], result["warnings"]) == ("abc", ["only the first 3 characters are shown"])


def test_a_file_without_its_table_of_objects_is_still_read(reader: Reader) -> None:
    content = pages(shown("rescued"))
    broken = content[: content.index(b"xref")] + content[content.index(b"trailer") :]
    assert reader.result(broken)["text"] == "rescued"


def test_what_only_begins_like_pdf_fails_with_a_reason(reader: Reader) -> None:
    outcome = reader.read(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "table.csv", "text/csv")
    assert (outcome.status, outcome.detail.startswith("not a valid PDF: ")) == ("failed", True)


def test_a_text_that_mentions_pdf_is_text(reader: Reader) -> None:
    assert reader.result(b"Files begin with %PDF-1.7 and so on.\n")["kind"] == "text"


def test_a_document_that_wants_a_password_is_unsupported(reader: Reader) -> None:
    locked = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b> >>" % (b"61" * 32, b"62" * 32)
    content = pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 0 /Kids [] >>", locked])
    content = content.replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 3 0 R /ID [<61><61>]")
    assert reader.read(content).detail == "the document is encrypted"


def test_a_page_tree_that_loops_ends(reader: Reader) -> None:
    outcome = reader.sandboxed(looping_pages(), seconds=20)
    assert outcome.status in ("failed", "limited"), outcome


def test_a_page_that_inflates_twice_ends_one_reader_and_not_the_other(reader: Reader) -> None:
    content = pages(shown("before"), doubly_deflated(1_000), shown("after"))
    assert len(content) < 8_000
    outcome = reader.sandboxed(content)
    assert (outcome.status, outcome.detail) == ("limited", "page 2 inflates to too much")
    assert json.loads(outcome.result)["text"] == "before"
    assert outcome.peak_bytes < 512 << 20
