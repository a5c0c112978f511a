"""DOCX: the words in reading order."""

import io
from importlib.resources import files

import docx
import pytest

from shared.files.parsing import limits
from tests.files.parsing.conftest import Reader
from tests.files.parsing.zips import package

KIND = "openxmlformats-officedocument.wordprocessingml.document"


def document(body: str) -> bytes:
    """A document whose main part is not where it customarily is."""
    return package(KIND, "text/main.xml", {"text/main.xml": body})


def test_a_document_of_another_library_is_read(reader: Reader) -> None:
    made = docx.Document()
    made.add_heading("Titel 日本", 1)
    made.add_paragraph("One\ttab").add_run(" and more").bold = True
    table = made.add_table(2, 2)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"cell {number}"
    made.add_paragraph("End")
    target = io.BytesIO()
    made.save(target)
    result = reader.result(target.getvalue(), "letter.csv", "text/csv")
    assert (result["kind"], result["row_count"]) == ("document", 7)
    assert result["text"] == "Titel 日本\nOne\ttab and more\ncell 0\tcell 1\ncell 2\tcell 3\nEnd\n"


def test_a_real_document_of_a_wheel_is_read(reader: Reader) -> None:
    content = files("docx").joinpath("templates/default.docx").read_bytes()
    assert reader.result(content)["kind"] == "document"


def test_tab_stops_deleted_words_and_fallbacks_are_not_text(reader: Reader) -> None:
    runs = "<r><delText>gone</delText><instrText>PAGE</instrText><t>kept</t></r><Fallback><t>again</t></Fallback>"
    body = f"<document><p><pPr><tabs><tab/></tabs></pPr>{runs}</p></document>"
    assert reader.result(document(body))["text"] == "kept\n"


def test_long_documents_are_cut_and_counted(reader: Reader) -> None:
    body = "<d>" + "<p><t>four</t></p>" * (limits.TEXT_CHARACTERS // 4) + "</d>"
    result = reader.result(document(body))
    assert (len(result["text"]), result["row_count"]) == (limits.TEXT_CHARACTERS, limits.TEXT_CHARACTERS // 4)
    assert result["warnings"] == [f"only the first {limits.TEXT_CHARACTERS} characters are shown"]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("<d><p></d>", "failed", "text/main.xml is not valid XML"),
        ('<!DOCTYPE d [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><d>&b;</d>', "failed", "declares a DTD"),
        ('<?xml version="1.0" encoding="klingon"?><d/>', "failed", "main.xml"),
        ("<d>" * 300_000, "failed", "is not valid XML"),
    ],
)
def test_hostile_documents_are_refused_with_a_reason(reader: Reader, body: str, status: str, reason: str) -> None:
    outcome = reader.read(document(body))
    assert (outcome.status, reason in outcome.detail) == (status, True), outcome


def test_a_text_without_end_keeps_its_beginning(reader: Reader) -> None:
    body = "<d><p><t>begin " + " " * (140 << 20) + "</t></p></d>"
    outcome = reader.sandboxed(document(body), memory_bytes=256 << 20)
    assert (outcome.status, outcome.detail) == ("limited", "the content inflates to more than 128 MiB")
    assert b'"text":"begin ' in outcome.result
    assert outcome.peak_bytes < 64 << 20


def test_other_office_documents_are_unsupported(reader: Reader) -> None:
    slides = package("openxmlformats-officedocument.presentationml.presentation", "p.xml", {"p.xml": "<p/>"})
    assert reader.read(slides).status == "unsupported"
