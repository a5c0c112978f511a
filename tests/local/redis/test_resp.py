"""The RESP2 parser keeps kinds apart and does not care how the stream was cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.redis.resp import Failure, Reply, ReplyParser, Status, encode_reply

lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(str.encode)
scalars = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40), lines.map(Status), lines.map(Failure)
)
replies = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


@settings(deadline=None)
@given(st.lists(replies, max_size=4), st.integers(1, 9))
def test_replies_come_out_as_they_went_in_however_they_are_cut(sent: list[Reply], size: int) -> None:
    stream = b"".join(map(encode_reply, sent))
    parser = ReplyParser()
    received = []
    for at in range(0, len(stream), size):
        received += parser.feed(stream[at : at + size])
    assert received == sent
    assert list(map(type, received)) == list(map(type, sent))


def test_what_is_not_resp2_is_refused() -> None:
    with pytest.raises(ValueError, match="not RESP2"):
        ReplyParser().feed(b"%1\r\n")
