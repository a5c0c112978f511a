"""Files of other people's packages, which nobody here wrote: what is in them, and that none of them is an accident."""

import csv
import gzip
import io
import json
from collections import Counter
from typing import Any

import pytest

from tests.files.parsing.conftest import Reader, types
from tests.files.parsing.real_files import BOKEH, COUNTRIES, DOCUMENTS, PDFS, PENGUINS, VEGA, WORKBOOKS, Package

FIRST_SHEET = [
    *("String", 1, 1.1, True, False, "2010-10-10", "2010-10-10T10:10:10"),
    *("10:10:10", "10:10:10.100", "255:10:10"),
]


@pytest.mark.parametrize(
    ("package", "member", "rows", "some"),
    [
        (BOKEH, "population.csv.gz", 346_332, {"LocID": "integer", "Location": "string", "Value": "integer"}),
        (BOKEH, "world_cities.csv.gz", 45_065, {"name": "string", "lat": "float", "lng": "float"}),
        (BOKEH, "titanic_all.csv", 1_313, {"name": "string", "age": "float?", "survived": "integer"}),
        (BOKEH, "CGM.csv.gz", 52_281, {"datetime": "datetime", "glucose": "integer"}),
        (PENGUINS, "penguins-raw.csv", 344, {"Date Egg": "date", "Culmen Length (mm)": "float?", "Sex": "string?"}),
        (VEGA, "data/birdstrikes.csv", 10_000, {"Flight Date": "date", "Speed IAS in knots": "integer?"}),
        (VEGA, "data/zipcodes.csv", 42_049, {"zip_code": "string", "latitude": "float"}),
        (VEGA, "data/unemployment.tsv", 3_218, {"id": "integer", "rate": "float"}),
        (VEGA, "data/flights-3m.parquet", 3_000_000, {"date": "datetime", "delay": "integer", "origin": "string"}),
        (COUNTRIES, "dist/countries.csv", 250, {"name.common": "string", "ccn3": "string?", "unMember": "integer"}),
    ],
)
def test_tables(reader: Reader, package: Package, member: str, rows: int, some: dict[str, str]) -> None:
    result = reader.result(package.read(member), member)
    assert (result["kind"], result["row_count"], len(result["preview"])) == ("table", rows, 100)
    assert types(result).items() >= some.items()
    assert list(result["preview"][0]) == list(types(result))


@pytest.mark.parametrize(("package", "member"), [(BOKEH, "world_cities.csv.gz"), (VEGA, "data/species.csv")])
def test_a_preview_is_what_pythons_own_reader_finds(reader: Reader, package: Package, member: str) -> None:
    content = package.read(member)
    text = (gzip.decompress(content) if member.endswith(".gz") else content).decode()
    expected = list(csv.DictReader(io.StringIO(text, newline="")))
    result = reader.result(content, member)
    words = [name for name, kind in types(result).items() if kind == "string"]
    assert result["row_count"] == len(expected)
    assert words
    for found, wanted in zip(result["preview"], expected, strict=False):
        assert [found[name] for name in words] == [wanted[name] for name in words]


@pytest.mark.parametrize(
    ("package", "member", "rows", "some"),
    [
        (VEGA, "data/flights-200k.json", 200_000, {"delay": "integer", "distance": "integer", "time": "float"}),
        (VEGA, "data/movies.json", 3_201, {"Title": "mixed?", "IMDB Rating": "float?", "Release Date": "string"}),
        (VEGA, "data/earthquakes.json", None, {"type": "string", "metadata": "object", "features": "array"}),
        (COUNTRIES, "dist/countries.json", 250, {"name": "object", "tld": "array", "area": "float"}),
        (BOKEH, "us_cities.json.gz", None, {"lat": "array", "lon": "array"}),
    ],
)
def test_json(reader: Reader, package: Package, member: str, rows: int | None, some: dict[str, str]) -> None:
    result = reader.result(package.read(member), member)
    assert (result["kind"], result["row_count"]) == ("json", rows)
    assert types(result).items() >= some.items()


def test_ndjson_made_of_a_real_array_says_the_same(reader: Reader) -> None:
    array = VEGA.read("data/flights-20k.json")
    lines = "".join(json.dumps(flight) + "\n" for flight in json.loads(array)).encode()
    assert reader.result(lines, "flights.ndjson") == reader.result(array, "flights.json")


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls", "xlsb"])
def test_the_same_workbook_in_four_formats_says_the_same(reader: Reader, kind: str) -> None:
    result = reader.result(WORKBOOKS.read(f"base.{kind}"), f"base.{kind}")
    (row,) = result["preview"]
    # Calamine drops milliseconds of clocks and leaves the durations of ODS as they are written.
    written = {"10:10:10": "10:10:10.100"} if kind in ("xls", "xlsb") else {"PT255H10M10S": "255:10:10"}
    cells = [*list(row.values())[:8], *(written.get(cell, cell) for cell in list(row.values())[8:])]
    assert cells == FIRST_SHEET
    assert {sheet["name"] for sheet in result["sheets"]} >= {"Sheet1", "Sheet2", "Merged Cells"}


def test_the_text_of_pages(reader: Reader) -> None:
    four = reader.result(PDFS.read("fourpages.pdf"))
    assert (four["pages"], four["text"]) == (4, "First page\fSecond page\fThird page\fLast page")
    assert reader.result(PDFS.read("pdfa/fpdf2_cjk.pdf"))["text"] == "日本語 テキスト"


def test_markdown(reader: Reader) -> None:
    result = reader.result(COUNTRIES.read("package/README.md"), "README.md")
    assert (result["kind"], result["row_count"]) == ("text", 261)
    assert result["text"].startswith("# World countries in JSON, CSV, XML and YAML.\n")


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls", "xlsb"])
def test_workbooks_behind_a_password(reader: Reader, kind: str) -> None:
    outcome = reader.read(WORKBOOKS.read(f"password.{kind}"))
    assert (outcome.status, outcome.detail) == ("unsupported", "the document is encrypted")


@pytest.mark.parametrize(
    ("package", "suffixes", "outcomes"),
    [
        (DOCUMENTS, (".docx",), {"ready": 47}),
        (PDFS, (".pdf",), {"ready": 58, "unsupported": 2, "failed": 1}),
        (WORKBOOKS, (".xlsx", ".ods", ".xls", ".xlsb"), {"ready": 13, "unsupported": 4}),
        (BOKEH, (".csv", ".csv.gz", ".txt.gz", ".json.gz"), None),
        (VEGA, (".csv", ".tsv"), None),
    ],
)
def test_every_file_of_a_package(
    reader: Reader, package: Package, suffixes: tuple[str, ...], outcomes: dict[str, int] | None
) -> None:
    found = {path: reader.read(content, path) for path, content in package.all(*suffixes)}
    assert len(found) > 10
    counted: Any = Counter(outcome.status for outcome in found.values())
    odd = {path: outcome.detail for path, outcome in found.items() if outcome.status != "ready"}
    assert counted == (outcomes or {"ready": len(found)}), odd
    assert all(odd.values())
