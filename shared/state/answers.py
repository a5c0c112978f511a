"""What the REST server's status and body mean: a result, an error of the command, or no answer at all."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from shared.state.errors import CommandRefused, OutcomeUnknown, Unreachable
from shared.state.published import UpstashError, decode

# Upstash says so with status 400, before it executes anything.
_OVER_QUOTA: Final = ("ERR max requests limit exceeded", "ERR max daily request limit exceeded")


def answer_of(status: int, body: bytes) -> Any:
    """The result of a single command; raises CommandRefused when it failed."""
    answer = _item(status, _parsed(status, body))
    if isinstance(answer, Exception):
        raise answer
    return answer


def answers_of(status: int, body: bytes, count: int) -> list[Any]:
    """The results of `count` commands, an exception (CommandRefused) where one failed; raises what befell all."""
    parsed = _parsed(status, body)
    if isinstance(parsed, Mapping) and isinstance(parsed.get("error"), str):
        raise _refusal(parsed["error"], status)
    if not isinstance(parsed, list) or len(parsed) != count:
        raise OutcomeUnknown(f"Redis did not answer {count} commands with {count} results", status)
    return [_item(status, entry) for entry in parsed]


def _parsed(status: int, body: bytes) -> Any:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise OutcomeUnknown(f"Redis answered {status}: {_excerpt(body)}", status)
    if status not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST):
        raise Unreachable(f"Redis turned the request away with {status}: {_excerpt(body)}", status)
    try:
        return json.loads(body)
    except ValueError as error:
        raise OutcomeUnknown(f"Redis answered {status} without JSON: {_excerpt(body)}", status) from error


def _item(status: int, entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        raise OutcomeUnknown(f"Redis answered {status} with neither result nor error", status)
    if isinstance(entry.get("error"), str):
        return _refusal(entry["error"], status)
    if "result" not in entry:
        raise OutcomeUnknown(f"Redis answered {status} with neither result nor error", status)
    try:
        return decode(entry["result"])
    except (ValueError, UpstashError) as error:
        return CommandRefused(f"UNREADABLE result: {error}", status)


def _refusal(message: str, status: int) -> CommandRefused | Unreachable:
    if message.startswith(_OVER_QUOTA):
        return Unreachable(f"Redis is over its quota: {message}", status)
    return CommandRefused(message, status)


def _excerpt(body: bytes) -> str:
    return body[:200].decode(errors="replace")
