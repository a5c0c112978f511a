"""One frame in, one frame out: every failure becomes what the protocol has for it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from functions.message.commands import Caller, Commands
from shared.errors import Internal, InvalidToken, TrafficCopError
from shared.observe.log import failed
from shared.realtime.delivery import Delivery
from shared.realtime.protocol import (
    BAD_REQUEST,
    EXPIRED,
    INVALID_TOKEN,
    KEEP_ALIVE,
    SHUTDOWN,
    BadFrame,
    Command,
    ServerDisconnect,
    decode_frame,
    error_reply,
    packed,
)
from shared.realtime.refusals import ConnectedAlready, ConnectionExpired, ConnectionGone

_DISCONNECTS: dict[type[TrafficCopError], ServerDisconnect] = {
    ConnectionGone: SHUTDOWN,
    ConnectedAlready: BAD_REQUEST,
    InvalidToken: INVALID_TOKEN,
}


def answer(commands: Commands, delivery: Delivery, *, connection: str, address: str, text: str, context: Any) -> str:
    """The frame that goes back as the route's response: replies, or the keep-alive when there are none."""
    caller = Caller(connection, address)
    replies: list[str] = []
    try:
        replies.extend(_replies(commands, caller, decode_frame(text), context))
    except BadFrame:
        _end(commands, delivery, caller, BAD_REQUEST, [], context)
        return KEEP_ALIVE
    except ServerDisconnect as why:
        _end(commands, delivery, caller, why, replies, context)
        return KEEP_ALIVE
    *earlier, last = [frame.decode() for frame in packed(replies)] or [KEEP_ALIVE]
    for frame in earlier:
        delivery.push(connection, [frame])
    return last


def _replies(commands: Commands, caller: Caller, frame: list[Command], context: Any) -> Iterator[str]:
    for command in frame:
        try:
            replied = commands.run(caller, command)
        except TrafficCopError as error:
            yield _refusal(caller, command, error)
            if command.connect is not None:
                return
        except ServerDisconnect:
            raise
        except Exception as error:
            failed("message", error, context)
            yield error_reply(command.id, Internal())
        else:
            if replied is not None:
                yield replied


def _refusal(caller: Caller, command: Command, error: TrafficCopError) -> str:
    ends = _DISCONNECTS.get(type(error))
    if ends is not None:
        raise ends
    if isinstance(error, ConnectionExpired) and command.connect is None and command.refresh is None:
        raise EXPIRED
    return error_reply(command.id, error)


def _end(
    commands: Commands, delivery: Delivery, caller: Caller, why: ServerDisconnect, replies: list[str], context: Any
) -> None:
    """The socket is closed even when it cannot be forgotten; its lease's end does that then.

    What was done before is answered first: the route's response would come too late.
    """
    steps: list[Callable[[], object]] = [
        lambda: commands.forget(caller),
        *(partial(delivery.push, caller.connection, [frame.decode()]) for frame in packed(replies)),
        lambda: delivery.close([caller.connection], why),
    ]
    for step in steps:
        try:
            step()
        except Exception as error:
            failed("message.end", error, context)
