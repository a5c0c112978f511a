"""Whatever the content, parsing ends in one of its outcomes; what a writer of a format wrote is what comes out."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.files.parsing import limits
from shared.files.parsing.child import outcome_of
from shared.files.parsing.sniffed import Declared

SUFFIXES = st.sampled_from(["", ".csv", ".tsv", ".json", ".ndjson", ".md", ".txt", ".xlsx"])
TYPES = st.sampled_from(
    ["", "text/csv", "text/csv; charset=latin-1", "application/json", "text/plain; charset=nonsense"]
)
NEARLY = st.lists(st.sampled_from([b"a", b",", b";", b"\n", b'"', b"{", b"}", b"[", b"]", b":", b"1", b"\xff", b"\r"]))
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8).filter(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)

QUICK = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "content"


def outcome(path: Path, content: bytes, declared: Declared) -> tuple[str, str, bytes]:
    path.write_bytes(content)
    return outcome_of(path, declared, limits.Stopwatch(30))


@QUICK
@given(st.binary(max_size=300) | NEARLY.map(b"".join), TYPES, SUFFIXES)
def test_parsing_always_ends_in_an_outcome(path: Path, content: bytes, content_type: str, suffix: str) -> None:
    status, detail, result = outcome(path, content, Declared(content_type, suffix))
    assert status in ("ready", "failed", "unsupported", "limited")
    assert bool(detail) == (status != "ready")
    if result:
        found = json.loads(result)
        assert {"kind", "schema", "row_count", "preview", "encoding", "warnings"} <= found.keys()
        assert len(result) <= limits.RESULT_BYTES


@QUICK
@given(
    st.lists(st.tuples(WORDS, WORDS, st.integers(-(2**53), 2**53)), min_size=1, max_size=20),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_csv_wrote_is_what_comes_out(path: Path, rows: list[tuple[str, str, int]], delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([("first name", "second name", "n"), *(("w" + a, "w" + b, n) for a, b, n in rows)])
    status, _, result = outcome(path, text.getvalue().encode(), Declared("", ".csv"))
    assert status == "ready"
    found = json.loads(result)
    assert found["row_count"] == len(rows)
    assert [tuple(row.values()) for row in found["preview"]] == [("w" + a, "w" + b, n) for a, b, n in rows]


@QUICK
@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, min_size=1, max_size=4), min_size=1, max_size=10))
def test_what_json_wrote_is_what_comes_out(path: Path, rows: list[dict[str, object]]) -> None:
    status, _, result = outcome(path, json.dumps(rows).encode(), Declared("", ""))
    assert (status, json.loads(result)["preview"]) == ("ready", rows)
