"""XLSX: as other programs write it, and as only an attacker does."""

import io
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import xlsxwriter

from shared.files.parsing.archive import Archive
from shared.files.parsing.limits import OverLimit
from tests.files.parsing.conftest import Reader, types
from tests.files.parsing.zips import number, row, words, workbook, zipped


def written(cells: list[list[Any]], **options: Any) -> bytes:
    """A workbook by XlsxWriter, which gives dates their formats."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, options) as book:
        sheet = book.add_worksheet("Data")
        kinds: dict[type, str] = {
            date: "dd/mm/yyyy",
            datetime: "yyyy-mm-dd hh:mm:ss",
            time: "hh:mm",
            timedelta: "[h]:mm",
        }
        formats = {kind: book.add_format({"num_format": code}) for kind, code in kinds.items()}
        for line, values in enumerate(cells):
            for column, value in enumerate(values):
                sheet.write(line, column, value, formats.get(type(value)))
    return target.getvalue()


@pytest.mark.parametrize("options", [{}, {"date_1904": True}, {"in_memory": True, "constant_memory": True}])
def test_a_workbook_of_another_library_is_read_with_its_types(reader: Reader, options: dict[str, Any]) -> None:
    moment = datetime(2024, 2, 29, 13, 45, 30)  # noqa: DTZ001 - spreadsheets know no zones
    rows: list[list[Any]] = [
        ["name", "count", "share", "ok", "day", "at", "clock", "took", "id"],
        ["Åsa 日本 🙂", 3, 0.1, True, date(2024, 2, 29), moment, time(7, 5), timedelta(hours=30), "007"],
        ["=x", -4, 2.5, False, date(1904, 1, 2), moment, time(0, 0), timedelta(0), "12"],
    ]
    result = reader.result(written(rows, strings_to_formulas=False, **options), "a.xlsx")
    assert types(result) == {
        "name": "string",
        "count": "integer",
        "share": "float",
        "ok": "boolean",
        "day": "date",
        "at": "datetime",
        "clock": "string",
        "took": "string",
        "id": "string",
    }
    assert list(result["preview"][0].values()) == [
        *("Åsa 日本 🙂", 3, 0.1, True, "2024-02-29", "2024-02-29T13:45:30", "07:05:00", "30:00:00", "007")
    ]
    assert (result["kind"], result["row_count"], result["preview"][1]["id"]) == ("table", 2, "12")


def test_each_sheet_is_told_and_the_first_visible_one_with_rows_is_shown(reader: Reader) -> None:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        hidden, empty, seen = (book.add_worksheet(name) for name in ("secret", "empty", "März"))
        hidden.write_row(0, 0, ["a"])
        hidden.hide()
        book.add_chartsheet("chart")
        seen.write_row(0, 0, ["b"])
        seen.write_row(1, 0, [5])
        empty.activate()
    result = reader.result(target.getvalue())
    assert result["preview"] == [{"b": 5}]
    assert [(sheet["name"], sheet["hidden"], sheet["row_count"]) for sheet in result["sheets"]] == [
        ("secret", True, 0),
        ("empty", False, 0),
        ("März", False, 1),
    ]
    assert result["warnings"] == ["shown is sheet März, one of 3: see sheets"]


def test_a_table_is_found_below_a_title_and_right_of_a_margin(reader: Reader) -> None:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 1, "Quarterly report")
        sheet.write_row(3, 2, ["price", "note"])
        sheet.write_row(4, 1, ["r1", 1.5, "x"])
        sheet.write_row(5, 1, ["r2", 2, "y"])
    result = reader.result(target.getvalue())
    assert types(result) == {"column_1": "string", "price": "float", "note": "string"}
    assert result["warnings"] == ["rows above the table were left out: 1"]


def test_numbers_are_read_as_other_programs_wrote_them(reader: Reader) -> None:
    cells = [number(text) for text in (" 10", "1.0", "1E+3", "0.10000000000000001", "-1e-7")]
    result = reader.result(workbook(words(*"abcde") + row(*cells)))
    assert list(result["preview"][0].values()) == [10, 1, 1000, 0.1, -1e-07]
    assert types(result) == {"a": "integer", "b": "integer", "c": "integer", "d": "float", "e": "float"}


def test_errors_and_formulas_without_a_value_are_empty_and_told(reader: Reader) -> None:
    cells = [
        '<c t="e"><v>#REF!</v></c>',
        "<c><f>A1+1</f></c>",
        '<c t="str"><f>B1</f><v>x_x000A_y</v></c>',
        number("one"),
    ]
    result = reader.result(workbook(words("a", "b", "c", "d") + row(*cells) + row(number("1"), number("2"))))
    assert list(result["preview"][0].values()) == [None, None, "x\ny", None]
    assert result["warnings"] == [
        "cells hold errors like #N/A or #REF! and count as empty: 1",
        "formulas have no stored value and count as empty: 1",
        "cells could not be read and count as empty: 1",
    ]


def test_shared_texts_may_be_rich_and_have_readings(reader: Reader) -> None:
    rich = "<si><r><t>Tō</t></r><r><t>kyō</t></r><rPh sb='0' eb='1'><t>トウキョウ</t></rPh></si>"
    cell = "<c t='s'><v>0</v></c>"
    result = reader.result(workbook(words("a") + row(cell), texts=f"<sst>{rich}</sst>"))
    assert result["preview"] == [{"a": "Tōkyō"}]


@pytest.mark.parametrize(
    ("code", "serial", "shown"),
    [
        ("[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", "45000", "2023-03-15"),
        ("mmm-yy", "45000", "2023-03-15"),
        ("dd.mm.yyyy", "45000.5", "2023-03-15T12:00:00"),
        ("h:mm AM/PM", "0.5", "12:00:00"),
        ("mm:ss.0", "0.0000116", "00:00:01.002"),
        ('0 "days"', "45000", 45000),
        ("[Red]0.00E+00;[Blue]-0.00", "45000", 45000),
        ("Standard", "45000", 45000),
        ("#,##0\\ [$USD]", "45000", 45000),
        ("yyyy", "-1", -1),
        ("yyyy", "1e300", 1e300),
        ("yyyy-mm-dd", "2958465", "9999-12-31"),
        ("yyyy-mm-dd", "61", "1900-03-01"),
        ("yyyy-mm-dd", "59", "1900-02-28"),
    ],
)
def test_the_format_decides_what_is_a_date(reader: Reader, code: str, serial: str, shown: object) -> None:
    escaped = code.replace('"', "&quot;")
    result = reader.result(workbook(words("a") + row(number(serial, 1)), formats={escaped: 164}))
    assert result["preview"] == [{"a": shown}]


def test_dates_may_begin_in_1904(reader: Reader) -> None:
    book = workbook(words("a") + row(number("0", 1)), formats={"yyyy-mm-dd": 164}, settings='date1904="1"')
    assert reader.result(book)["preview"] == [{"a": "1904-01-01"}]


def test_two_cells_at_the_far_corners_are_two_cells(reader: Reader) -> None:
    corners = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    outcome = reader.sandboxed(workbook(corners), memory_bytes=256 << 20)
    assert outcome.status == "ready"
    assert outcome.peak_bytes < 64 << 20
    assert b'"row_count":1' in outcome.result
    assert b"cells beyond column 2000 were left out: 1" in outcome.result


@pytest.mark.parametrize(
    ("book", "status", "reason"),
    [
        (workbook(words("x" * (2 << 20))), "limited", "a cell holds more than"),
        (workbook(row(number("1"))[:-3]), "failed", "is not valid XML"),
        (workbook("", before='<!DOCTYPE a [<!ENTITY b "c">]>'), "failed", "declares a DTD"),
        (workbook("", before='<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "failed", "declares a DTD"),
        (workbook("", texts="<sst>" + "<si/>" * 2_100_000 + "</sst>"), "limited", "MiB of texts"),
        (workbook(words("x"))[:400], "failed", "not a valid ZIP"),
        (workbook("<row><c r='BXX1'><v>1</v></c></row>" * 10_200), "limited", "million cells"),
    ],
)
def test_hostile_workbooks_are_refused_with_a_reason(reader: Reader, book: bytes, status: str, reason: str) -> None:
    outcome = reader.read(book, "x.xlsx")
    assert (outcome.status, reason in outcome.detail) == (status, True), outcome.detail


def test_a_text_of_a_gigabyte_is_given_up_early(reader: Reader) -> None:
    texts = b"<sst><si><t>" + bytes([120]) * (140 << 20) + b"</t></si></sst>"
    outcome = reader.sandboxed(workbook("", texts=texts), "x.xlsx", memory_bytes=512 << 20)
    assert (outcome.status, "MiB of texts" in outcome.detail) == ("limited", True)


def test_what_comes_out_of_an_archive_counts_whatever_it_claims(reader: Reader) -> None:
    archive = Archive(reader.written(zipped({"a": bytes(5 << 20), "b": bytes(4 << 20)})), inflated=8 << 20)
    assert len(archive.read("a", 5 << 20)) == 5 << 20
    with pytest.raises(OverLimit, match="inflates to more than 8 MiB"):
        archive.read("b", 5 << 20)


def test_two_members_of_one_name_are_refused(reader: Reader) -> None:
    names = zipped({"a.csv": "a,b\n1,2\n", "b.csv": "c,d\n3,4\n"}).replace(b"b.csv", b"a.csv")
    assert reader.read(names).detail == "the archive holds several members of one name"
