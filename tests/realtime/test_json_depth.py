"""How deep JSON may be does not depend on who decodes it, on which Python."""

import json

import pytest

from shared.errors import Invalid
from shared.realtime.api_requests import Publish, decoded
from shared.realtime.json_depth import MAX_DEPTH, TooDeep, refuse_deep
from shared.realtime.protocol import BadFrame, decode_frame


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "text",
    [
        nested(MAX_DEPTH),
        '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH,
        json.dumps([[] for _ in range(1000)]),
        json.dumps(["[" * 1000, '"[\\' * 1000, {"[" * 200: "{" * 200}]),
    ],
)
def test_shallow_json_passes(text: str) -> None:
    refuse_deep(text)


@pytest.mark.parametrize(
    "text",
    [nested(MAX_DEPTH + 1), '[{"a":' * 51 + "1" + "}]" * 51, '["]]]",' * 101, nested(100_000), "[" * 100_000],
)
def test_deep_json_is_refused(text: str) -> None:
    with pytest.raises(TooDeep):
        refuse_deep(text)


def test_a_publication_is_as_deep_as_its_frame_allows() -> None:
    def frame(data: str) -> str:
        return f'{{"id":1,"publish":{{"channel":"a","data":{data}}}}}'

    assert len(decode_frame(frame(nested(MAX_DEPTH - 2)))) == 1
    with pytest.raises(BadFrame, match="nested"):
        decode_frame(frame(nested(MAX_DEPTH - 1)))


def test_a_server_is_told_why() -> None:
    with pytest.raises(Invalid, match="nested deeper than 100"):
        decoded(f'{{"channel":"a","data":{nested(9000)}}}'.encode(), Publish)
