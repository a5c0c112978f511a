"""Files of every format with bytes changed, cut off or put in front: each ends in an outcome, never in an error."""

import gzip
import json
from importlib.resources import files
from pathlib import Path

import airportsdata
import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.files.parsing import limits
from shared.files.parsing.child import outcome_of
from shared.files.parsing.sniffed import Declared
from tests.files.parsing.conftest import Reader, types
from tests.files.parsing.pdfs import pages, shown
from tests.files.parsing.zips import number, row, words, workbook, zipped

TABLE = b"name,n,day\nAnn,1,2024-01-01\nBob,2,2024-01-02\n" * 20
WHOLE = {
    "xlsx": workbook(words("a", "b") + row(number("1"), number("45000", 1)), formats={"yyyy-mm-dd": 164}),
    "docx": files("docx").joinpath("templates/default.docx").read_bytes(),
    "gzip": gzip.compress(TABLE),
    "zip": zipped({"a.csv": TABLE}),
    "csv": TABLE,
    "json": json.dumps([{"a": [1, {"b": None}]}] * 9).encode(),
}
# These readers are native: what breaks them ends a child, so that they are not fuzzed in this process.
NATIVE = {"pdf": pages(shown("One"), shown("two"))}
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=3)), max_size=6)
THOROUGH = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
STATUSES = ("ready", "failed", "unsupported", "limited")


def damaged(content: bytes, changes: list[tuple[float, bytes]], kept: float, before: bytes) -> bytes:
    """The content with bytes overwritten at relative places, cut, and something put in front."""
    changed = bytearray(content)
    for place, data in changes:
        at = int(place * len(changed))
        changed[at : at + len(data)] = data
    return before + bytes(changed[: int(kept * len(changed))])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "content"


@THOROUGH
@given(st.sampled_from(sorted(WHOLE)), CHANGES, st.just(1.0) | st.floats(0, 1), st.just(b"") | st.binary(max_size=5))
def test_damage_ends_in_an_outcome(
    path: Path, form: str, changes: list[tuple[float, bytes]], kept: float, before: bytes
) -> None:
    path.write_bytes(damaged(WHOLE[form], changes, kept, before))
    status, detail, result = outcome_of(path, Declared("", ""), limits.Stopwatch(30))
    assert status in STATUSES
    assert bool(detail) == (status != "ready")
    assert not result or json.loads(result)["kind"] in ("table", "document", "json", "text")


@settings(THOROUGH, max_examples=4)
@given(st.sampled_from(["pdf", "parquet", "ods"]), CHANGES, st.floats(0.5, 1))
def test_damage_to_what_native_readers_read_is_the_childs_alone(
    path: Path, form: str, changes: list[tuple[float, bytes]], kept: float
) -> None:
    reader = Reader(path.parent)
    outcome = reader.sandboxed(damaged(native(path.parent, form), changes, kept, b""), seconds=10)
    assert outcome.status in STATUSES
    assert bool(outcome.detail) == (outcome.status != "ready")


def native(folder: Path, form: str) -> bytes:
    if form == "ods":
        mimetype = "application/vnd.oasis.opendocument.spreadsheet"
        return zipped({"mimetype": mimetype, "content.xml": "<office:document-content/>"})
    if form == "parquet":
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT 1 AS a, 'x' AS b) TO '{folder}/written' (FORMAT parquet)")
        return (folder / "written").read_bytes()
    return NATIVE[form]


def test_a_real_table_of_28_thousand_airports_is_read(reader: Reader) -> None:
    content = files(airportsdata).joinpath("airports.csv").read_bytes()
    result = reader.result(content, "airports.csv")
    assert result["row_count"] > 28_000
    kinds = types(result)
    assert (kinds["lat"], kinds["lon"], kinds["icao"], kinds["tz"]) == ("float", "float", "string", "string")
    assert result["encoding"] == "utf-8"
