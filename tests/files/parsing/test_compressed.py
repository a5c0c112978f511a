"""Compressed text, which is read as it inflates and never past a limit."""

import gzip
import io
import json
from importlib.resources import files
from zipfile import ZipFile

import pytest

from shared.files.parsing import limits
from tests.files.parsing.conftest import Reader, types
from tests.files.parsing.zips import zipped

TABLE = "name,n\nÅsa,1\nÖ,2\n".encode()


def test_gzip_of_a_table_is_that_table(reader: Reader) -> None:
    result = reader.result(gzip.compress(TABLE) + gzip.compress(b"Z,3\n"), "t.gz")
    assert (types(result), result["row_count"]) == ({"name": "string", "n": "integer"}, 3)


def test_the_name_within_the_name_helps_to_read_it(reader: Reader) -> None:
    outcome = reader.sandboxed(gzip.compress(b"name\nAnn\n"), "names.CSV.gz", "application/gzip")
    assert json.loads(outcome.result)["preview"] == [{"name": "Ann"}]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("a/t.csv", TABLE, "table"), ("t.json", b'[{"a":1}]', "json"), ("r.md", b"|a|b|\n|-|-|\n", "text")],
)
def test_zip_of_one_text_is_that_text(reader: Reader, name: str, content: bytes, kind: str) -> None:
    packed = zipped({"a/": "", name: content, f"__MACOSX/._{name}": "x"})
    assert reader.result(packed, "t.zip")["kind"] == kind


def test_real_compressed_json_of_botocore_is_read(reader: Reader) -> None:
    content = files("botocore").joinpath("data/sts/2011-06-15/service-2.json.gz").read_bytes()
    result = reader.result(content, "service-2.json.gz")
    assert result["preview"][0]["metadata"]["serviceId"] == "STS"


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (zipped({"a.csv": "a", "b.csv": "b"}), "unsupported", "this one has 2"),
        (zipped({"a/": ""}), "unsupported", "this one has 0"),
        (zipped({"a.zip": zipped({"b": "c"})}), "unsupported", "only text"),
        (gzip.compress(zipped({"a.csv": TABLE})), "unsupported", "only text"),
        (zipped({"a.gz": gzip.compress(TABLE)}), "unsupported", "only text"),
        (gzip.compress(gzip.compress(TABLE)), "unsupported", "only text"),
        (gzip.compress(b"%PDF-1.7"), "unsupported", "only text"),
        (gzip.compress(bytes(1 << 20)), "unsupported", "binary"),
        (gzip.compress(TABLE * 9_000)[:-9], "failed", "damaged"),
        (gzip.compress(TABLE)[:14] + b"\xff" * 9, "failed", "damaged"),
        (b"\x1f\x8b\x08" + bytes(30), "failed", "damaged"),
        (zipped({"a.csv": TABLE * 9_000}).replace(TABLE[:4], b"xxxx")[:-30], "failed", "ZIP"),
        (b"PK\x03\x04" + bytes(30), "failed", "ZIP"),
        (zipped({str(n): "" for n in range(limits.ARCHIVE_ENTRIES + 1)}), "limited", "entries"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(reader: Reader, content: bytes, status: str, reason: str) -> None:
    outcome = reader.read(content, "t.csv", "text/csv")
    assert (outcome.status, reason in outcome.detail) == (status, True), outcome


def test_an_encrypted_member_is_unsupported(reader: Reader) -> None:
    packed = zipped({"a.csv": "a,b\n1,2\n"})
    entry = packed.index(b"PK\x01\x02")
    locked = packed[: entry + 8] + b"\x01" + packed[entry + 9 :]
    assert reader.read(locked).detail == "the archive is encrypted"


def test_a_column_of_gigabytes_is_stopped_at_what_it_inflates_to(reader: Reader) -> None:
    mebibyte = gzip.compress(b"x" * (1 << 20))
    outcome = reader.sandboxed(gzip.compress(b"a,b\n1,2\n3,") + mebibyte * 4096, "x.csv.gz")
    assert (outcome.status, json.loads(outcome.result)["row_count"]) == ("limited", 1)
    assert outcome.peak_bytes < 64 << 20


def test_a_zip_bomb_is_stopped_at_what_it_inflates_to(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INFLATED_BYTES", 8 << 20)
    packed = zipped({"a.txt": b"0" * (9 << 20)})
    assert len(packed) < 10_000
    outcome = reader.read(packed, "a.zip")
    assert (outcome.status, outcome.detail) == ("limited", "the content inflates to more than 8 MiB")
    assert len(json.loads(outcome.result)["text"]) == limits.TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("before", "status", "reason"),
    [
        (b"a,b\n1,2\n3,4\n", "unsupported", "binary"),
        (b"%PDF-1.4\n", "failed", "not a valid PDF"),
        (b"\xff\xd8\xff\xe0", "unsupported", "JPEG"),
        (b"GIF89a", "unsupported", "GIF"),
    ],
)
def test_a_file_that_is_a_zip_as_well_is_read_as_what_it_begins_with(
    reader: Reader, before: bytes, status: str, reason: str
) -> None:
    polyglot = before + zipped({"x.csv": "c,d\n5,6\n"})
    assert ZipFile(io.BytesIO(polyglot)).namelist() == ["x.csv"]
    outcome = reader.read(polyglot, "x.zip", "application/zip")
    assert (outcome.status, reason in outcome.detail) == (status, True), outcome


def test_a_zip_that_mentions_pdf_is_a_zip(reader: Reader) -> None:
    polyglot = zipped({"%PDF-1.7": "a,b\n5,6\n", "__MACOSX/x": "y"})
    assert b"%PDF-1.7" in polyglot[:1024]
    assert reader.result(polyglot, "x.pdf", "application/pdf")["text"] == "a,b\n5,6\n"
