"""ODS and XLS, which calamine reads: by other libraries, and as attackers write them."""

import io
from datetime import date, datetime
from typing import Any

import odswriter
import pytest
import xlwt

from shared.files.parsing import limits
from tests.files.parsing.conftest import Reader, types
from tests.files.parsing.zips import zipped

ODS = "application/vnd.oasis.opendocument.spreadsheet"
CELLS: list[list[Any]] = [
    ["name", "n", "share", "day", "id"],
    ["Åsa 日本", 1, 0.5, date(2024, 2, 29), "007"],
    ["=1+1", 2, 1.5, date(2024, 3, 1), "12"],
]
TYPES = {"name": "string", "n": "integer", "share": "float", "day": "date", "id": "string"}


def ods(content: str) -> bytes:
    """A spreadsheet whose table is given as XML."""
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    body = f"<office:body><office:spreadsheet>{content}</office:spreadsheet></office:body>"
    return zipped({"mimetype": ODS, "content.xml": f"<office:document-content{names}>{body}</office:document-content>"})


def test_ods_is_read_with_its_types(reader: Reader) -> None:
    target = io.BytesIO()
    with odswriter.writer(target) as book:
        book.new_sheet("Märkte").writerows(CELLS)
    result = reader.result(target.getvalue(), "a.txt")
    assert types(result) == TYPES
    assert list(result["preview"][0].values()) == ["Åsa 日本", 1, 0.5, "2024-02-29", "007"]


def test_xls_is_read_with_its_types(reader: Reader) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Märkte")
    for line, row in enumerate(CELLS):
        for column, value in enumerate(row):
            style = xlwt.easyxf(num_format_str="yyyy-mm-dd") if isinstance(value, date) else xlwt.Style.default_style
            sheet.write(line, column, value, style)
    moment = xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm")
    sheet.write(0, 5, "at")
    for line in (1, 2):
        sheet.write(line, 5, datetime(2024, 2, 29, 13, 45), moment)  # noqa: DTZ001 - a spreadsheet knows no zones
    target = io.BytesIO()
    book.save(target)
    result = reader.result(target.getvalue(), "a.xls")
    assert types(result) == {**TYPES, "at": "datetime"}
    assert result["sheets"][0]["name"] == "Märkte"
    assert list(result["preview"][1].values()) == ["=1+1", 2, 1.5, "2024-03-01", "12", "2024-02-29T13:45:00"]
    assert result["formula_like_cells"] == 1


def test_cells_repeated_without_end_are_stopped_by_memory(reader: Reader) -> None:
    repeated = 'table:number-columns-repeated="16384"><text:p>1</text:p></table:table-cell></table:table-row>'
    row = (
        f'<table:table-row table:number-rows-repeated="1048576"><table:table-cell office:value-type="string" {repeated}'
    )
    outcome = reader.sandboxed(ods(f'<table:table table:name="a">{row}</table:table>'), seconds=20)
    assert outcome.status in ("failed", "limited"), outcome


def test_what_inflates_to_too_much_is_not_begun(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALAMINE_INFLATED_BYTES", 1 << 20)
    outcome = reader.read(ods(" " * (2 << 20)))
    assert (outcome.status, outcome.detail) == ("limited", "the content inflates to more than 1 MiB")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (ods("<table"), "failed"),
        (zipped({"mimetype": ODS}), "failed"),
        (zipped({"mimetype": "application/epub+zip"}), "unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "Workbook\0".encode("utf-16-le") + bytes(600), "failed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "WordDocument\0".encode("utf-16-le"), "unsupported"),
    ],
)
def test_what_is_no_workbook_is_refused_with_a_reason(reader: Reader, content: bytes, status: str) -> None:
    outcome = reader.read(content, "a.xls")
    assert (outcome.status, bool(outcome.detail)) == (status, True), outcome
