"""Bodies: JSON objects of bounded size and depth, and nothing else."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.http.requests import parsed_object
from tests.functions.http_events import FunctionClient

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values, max_size=5), st.booleans())
def test_every_json_object_is_taken_as_it_is(value: dict[str, object], ascii_only: bool) -> None:
    try:
        raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return
    assert parsed_object(raw) == value


def test_a_byte_order_mark_is_not_meant() -> None:
    assert parsed_object(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_what_is_not_utf_8_is_told_where() -> None:
    with pytest.raises(Invalid, match="byte 6 is not UTF-8"):
        parsed_object(b'{"a":"\xe9"}')


@given(st.binary(max_size=60))
def test_bytes_are_an_object_or_invalid(raw: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert isinstance(parsed_object(raw), dict)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"{", "the body is not JSON: Expecting property name"),
        (b"\xff{}", "the body is not JSON: byte 0 is not UTF-8"),
        (b'{"a": NaN}', "the body is not JSON: NaN is not JSON"),
        (b'{"a": 1e400}', "the body is not JSON: 1e400 is out of range"),
        (
            b'{"a": ' + b"9" * 5_000 + b"}",
            f"the body is not JSON: {'9' * 40}… has too many",
        ),
        (b'{"a": "\\ud800"}', "the body is not JSON: an escape is half of a character"),
        (b"[" * 100_000, "the body is nested deeper than 100"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "the body is nested deeper than 100"),
        (b"[]", "the body must be a JSON object"),
        (b"null", "the body must be a JSON object"),
    ],
)
def test_a_body_that_is_no_object_is_told_so_in_our_words(raw: bytes, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed_object(raw)
    assert caught.value.detail.startswith(told)
    assert caught.value.extra["errors"] == [{"detail": caught.value.detail, "pointer": "#"}]


@pytest.mark.parametrize("depth", [101, 900, 5_000, 100_000])
def test_a_document_nested_too_deeply_is_invalid(depth: int) -> None:
    with pytest.raises(Invalid):
        parsed_object(b'{"a":' * depth + b"1" + b"}" * depth)
    with pytest.raises(Invalid):
        parsed_object(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
    assert parsed_object(b'{"a":' * 99 + b"1" + b"}" * 99)


@pytest.mark.parametrize(
    "raw", [b'{"a":"\\ud800"}', b'{"\\udfff":1}', b'{"a":-Infinity}', b'{"a":' + b"9" * 5000 + b"}"]
)
def test_what_json_libraries_differ_on_is_invalid(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parsed_object(raw)


def test_a_body_becomes_its_model(client: FunctionClient) -> None:
    assert client.post("/points", json={"x": 1}).json() == {"x": 1, "y": 0}
    assert client.post("/points", content=b'{"x": 2}').json() == {"x": 2, "y": 0}


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=utf-8"]
)
def test_json_by_any_spelling_of_its_media_type(client: FunctionClient, media_type: str) -> None:
    assert client.post("/points", content=b'{"x": 2}', headers={"content-type": media_type}).status_code == 200


def test_errors_point_at_what_is_wrong(client: FunctionClient) -> None:
    told = client.post("/points", json={"x": "a", "y": []}).json()["errors"]
    assert [error["pointer"] for error in told] == ["#/x", "#/y"]


def test_a_body_over_the_limit_is_413(client: FunctionClient) -> None:
    assert client.post("/points", content=b" " * 101).status_code == 413
    assert client.post("/points", content=b" " * 92 + b'{"x": 2}').status_code == 200
