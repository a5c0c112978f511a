"""JSON and NDJSON."""

import json
from importlib.resources import files

import pytest

from tests.files.parsing.conftest import Reader, types


def test_an_array_of_objects_has_a_schema(reader: Reader) -> None:
    rows = [{"id": 1, "v": 1}, {"id": 2, "v": 1.5, "tags": ["a"]}, {"id": 3, "v": None, "at": "2026-01-02"}]
    result = reader.result(json.dumps(rows).encode())
    assert (result["kind"], result["row_count"], result["preview"]) == ("json", 3, rows)
    assert types(result) == {"id": "integer", "v": "float?", "tags": "array?", "at": "date?"}


def test_values_of_several_types_are_mixed(reader: Reader) -> None:
    result = reader.result(b'[{"a":1,"b":"2026-01-01"},{"a":"x","b":"2026-01-01T00:00:00Z"},{"a":2,"b":"soon"}]')
    assert types(result) == {"a": "mixed", "b": "string"}


def test_an_object_shows_its_members(reader: Reader) -> None:
    result = reader.result(b'{"a": 1, "b": {"c": [true, null]}}')
    assert (result["row_count"], result["preview"]) == (None, [{"a": 1, "b": {"c": [True, None]}}])


def test_an_array_of_values_is_rows_of_value(reader: Reader) -> None:
    result = reader.result(b"[1, 2, null]")
    assert (result["preview"], types(result)) == (
        [{"value": 1}, {"value": 2}, {"value": None}],
        {"value": "integer?"},
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_may_have_a_byte_order_mark(reader: Reader, encoding: str) -> None:
    assert reader.result('[{"ü": "日"}]'.encode(encoding))["preview"] == [{"ü": "日"}]


def test_lone_surrogates_do_not_break_the_result(reader: Reader) -> None:
    assert reader.result(rb'{"a": 1, "b": "\ud800"}' + b"\n" + b'{"a": 2}\n')["preview"][0]["b"] == "?"


@pytest.mark.parametrize("content", [b'[{"a": 1}', b'{"a": NaN}', b"[1,]", b'{"a": 1} trailing', b"nonsense"])
def test_what_is_declared_as_json_and_is_none_fails_with_a_reason(reader: Reader, content: bytes) -> None:
    outcome = reader.read(content, content_type="application/json")
    assert outcome.status == "failed"
    assert outcome.detail.startswith("not valid JSON: ")


def test_what_only_begins_like_json_is_text(reader: Reader) -> None:
    assert reader.result(b"[section]\nkey = value\n", "settings.ini")["kind"] == "text"


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_deep_nesting_is_refused_before_it_costs_memory(reader: Reader, content: bytes) -> None:
    outcome = reader.sandboxed(content, "x.json")
    assert (outcome.status, outcome.detail) == ("limited", "the content is nested deeper than 256 levels")
    assert outcome.peak_bytes < 64 << 20


@pytest.mark.parametrize("name", ["x.json", "x.ndjson"])
def test_numbers_beyond_those_of_c_are_kept(reader: Reader, name: str) -> None:
    rows = [b'{"id": 12345678901234567890123, "f": 2.5}', b'{"id": 1, "f": 2e999}']
    content = b"[%s]" % b",".join(rows) if name == "x.json" else b"\n".join(rows)
    preview = reader.result(content, name)["preview"]
    assert preview[0] == {"id": 12345678901234567890123, "f": 2.5}
    assert preview[1]["f"].upper().replace("+", "") == "2E999"


def test_a_number_of_five_thousand_digits_is_refused(reader: Reader) -> None:
    outcome = reader.read(b"[" + b"9" * 5_000 + b"]", "x.json")
    assert (outcome.status, outcome.detail) == ("failed", "not valid JSON, or a number has too many digits")


def test_undecodable_lines_are_told(reader: Reader) -> None:
    result = reader.result('{"a": "Åsa"}\n'.encode() * 3 + b'{"a": "\xff"}\n', "x.ndjson")
    assert result["preview"][3] == {"a": "\ufffd"}
    assert result["warnings"] == ["1 line holds bytes that are not utf-8, first line 4"]


def test_brackets_in_texts_are_no_nesting(reader: Reader) -> None:
    rows = [{"a": "[" * 300}, {"a": "]{" * 200}]
    assert reader.result(json.dumps(rows).encode())["preview"] == rows


def test_nested_values_are_cut_in_the_preview(reader: Reader) -> None:
    nested = '{"a":' * 50 + "1" + "}" * 50
    preview = reader.result(f"[{nested}]".encode())["preview"]
    assert json.dumps(preview).count('"a"') < 10


def test_ndjson_is_recognised_by_its_lines(reader: Reader) -> None:
    content = b"".join(b'{"n": %d, "s": "x"}\n' % i for i in range(3_000))
    result = reader.result(content, "data.txt", "text/plain")
    assert (result["kind"], result["row_count"], len(result["preview"])) == ("json", 3_000, 100)


def test_bad_lines_are_skipped_and_told(reader: Reader) -> None:
    result = reader.result(b'{"n": 1}\n{"n": 2}\n{"n": \n\n{"n": 3}\n')
    assert result["row_count"] == 3
    assert result["warnings"] == ["lines that are not JSON were skipped: 1, first line 3"]


def test_ndjson_in_name_only_fails(reader: Reader) -> None:
    assert reader.read(b"a,b\n1,2\n", "x.ndjson").status == "failed"


def test_a_gigantic_line_limits_the_result(reader: Reader) -> None:
    outcome = reader.read(b'{"n": 1}\n{"n": 2}\n{"s": "' + b"x" * (11 << 20) + b'"}\n', "x.jsonl")
    assert (outcome.status, json.loads(outcome.result)["row_count"]) == ("limited", 2)


def test_a_real_document_of_botocore_is_read(reader: Reader) -> None:
    content = files("botocore").joinpath("data/endpoints.json").read_bytes()
    result = reader.result(content, "endpoints.json", "application/json")
    assert types(result) == {"partitions": "array", "version": "integer"}
    assert result["preview"][0]["partitions"][0]["partition"] == "aws"
