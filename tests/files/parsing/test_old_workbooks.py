"""ODS and XLS, which calamine reads: by other libraries, and as attackers write them."""

import io
from datetime import date, datetime
from typing import Any
from zipfile import ZipFile

import odswriter
import pytest
import xlwt

from shared.files.parsing import limits
from tests.files.parsing.conftest import Reader, types
from tests.files.parsing.real_files import WORKBOOKS
from tests.files.parsing.zips import zipped

ODS = "application/vnd.oasis.opendocument.spreadsheet"
CELLS: list[list[Any]] = [
    ["name", "n", "share", "day", "id"],
    ["Åsa 日本", 1, 0.5, date(2024, 2, 29), "007"],
    ["=1+1", 2, 1.5, date(2024, 3, 1), "12"],
]
TYPES = {"name": "string", "n": "integer", "share": "float", "day": "date", "id": "string"}


ENTITIES = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))


def ods(content: str, before: str = "") -> bytes:
    """A spreadsheet whose tables are given as XML."""
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "manifest")
    )
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS}"/>'
    body = f"<office:body><office:spreadsheet>{content}</office:spreadsheet></office:body>"
    return zipped(
        {
            "mimetype": ODS,
            "META-INF/manifest.xml": f"<manifest:manifest{names}>{entry}</manifest:manifest>",
            "content.xml": f"{before}<office:document-content{names}>{body}</office:document-content>",
        }
    )


def repeated(rows: int, columns: int, text: str = "1") -> str:
    """A table with one cell, many times."""
    value = f'office:value-type="string" table:number-columns-repeated="{columns}"><text:p>{text}</text:p>'
    cell = f"<table:table-cell {value}</table:table-cell>"
    row = f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row>'
    return f'<table:table table:name="a">{row}</table:table>'


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


def test_cells_may_be_repeated(reader: Reader) -> None:
    result = reader.result(ods(repeated(3, 2, "x")))
    assert (result["row_count"], result["preview"][2]) == (3, {"column_1": "x", "column_2": "x"})


@pytest.mark.parametrize(("rows", "columns"), [(1 << 20, 1 << 14), (2**32 - 1, 2**32 - 1), (100_000, 1_000)])
def test_cells_repeated_without_end_are_stopped(reader: Reader, rows: int, columns: int) -> None:
    outcome = reader.sandboxed(ods(repeated(rows, columns)), seconds=20)
    assert outcome.status in ("failed", "limited"), outcome
    assert "cells" in outcome.detail or "memory" in outcome.detail, outcome


@pytest.mark.parametrize(
    ("declared", "entity"),
    [(f'<!ENTITY a0 "ha">{ENTITIES}', "&a12;"), ('<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;")],
)
def test_entities_are_not_expanded(reader: Reader, declared: str, entity: str) -> None:
    outcome = reader.sandboxed(ods(repeated(2, 2, entity), f"<!DOCTYPE a [{declared}]>"))
    assert (outcome.status, outcome.detail.startswith("not a valid workbook: ")) == ("failed", True), outcome
    assert outcome.peak_bytes < 64 << 20


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


@pytest.mark.parametrize(
    ("kept", "changed", "reason"), [(60, b"", "a part of it is cut off"), (250, b"\x7f", "it contradicts itself")]
)
def test_a_workbook_that_breaks_its_reader_is_a_damaged_one(
    reader: Reader, kept: int, changed: bytes, reason: str
) -> None:
    with ZipFile(io.BytesIO(WORKBOOKS.read("base.xlsb"))) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    name = next(name for name in parts if name.endswith("sheet1.bin"))
    rest = parts[name][kept + 1 :] if changed else b""
    outcome = reader.sandboxed(zipped({**parts, name: parts[name][:kept] + changed + rest}))
    assert (outcome.status, outcome.detail) == ("failed", f"not a valid workbook: {reason}")
