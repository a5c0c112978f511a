"""Whole numbers may be written as any JSON number that is one, in frames and in requests of the server API."""

import pytest

from shared.errors import Invalid
from shared.realtime.api_requests import Disconnect, History, decoded
from shared.realtime.protocol import BadFrame, decode_frame


@pytest.mark.parametrize("ten", ["10", "10.0", "1e1", "100e-1"])
def test_ten_is_ten_however_it_is_written(ten: str) -> None:
    frame = f'{{"id":{ten},"history":{{"channel":"a","limit":{ten},"since":{{"offset":{ten}}}}}}}'
    (command,) = decode_frame(frame)
    assert command.history is not None
    assert command.history.since is not None
    held = (command.id, command.history.limit, command.history.since.offset)
    assert (held, {type(number) for number in held}) == ((10, 10, 10), {int})
    assert decoded(f'{{"limit":{ten}}}'.encode(), History).limit == 10
    assert decoded(f'{{"disconnect":{{"code":{ten}}}}}'.encode(), Disconnect).disconnect.code == 10


@pytest.mark.parametrize("other", ["10.5", '"10"', "true", "[10]", "1e400", "-1", "9223372036854775808", "1e19"])
def test_nothing_else_is_a_position(other: str) -> None:
    with pytest.raises(BadFrame):
        decode_frame(f'{{"id":1,"history":{{"channel":"a","since":{{"offset":{other}}}}}}}')
    with pytest.raises(Invalid):
        decoded(f'{{"since":{{"offset":{other}}}}}'.encode(), History)


def test_what_a_publication_holds_stays_as_it_is_written() -> None:
    (command,) = decode_frame('{"id":1.0,"publish":{"channel":"a","data":{"n":1.0}}}')
    assert command.publish is not None
    assert bytes(command.publish.data) == b'{"n":1.0}'


def test_the_detail_names_place_and_kind() -> None:
    with pytest.raises(Invalid, match=r"Expected `int`, got `str` - at `\$.limit`"):
        decoded(b'{"limit":"10"}', History)
