"""Requests and replies of the REST API as JSON, in the two encodings Upstash has."""

import base64
import json
from urllib.parse import unquote_to_bytes

from local.redis.resp import Failure, Reply, Status
from local.redis.scripts import Command

JsonReply = object


class BadRequest(Exception):
    """The request has not the shape of a command; the text is the answer's `error`."""


def command_from_json(value: object) -> list[bytes]:
    if not isinstance(value, list):
        raise BadRequest("ERR failed to parse command: it must be a JSON array")
    if not value:
        raise BadRequest("ERR empty command")
    return [_argument(item) for item in value]


def parse_body(body: bytes) -> object:
    """JSON with numbers kept as the text they were sent as."""
    try:
        return json.loads(body, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"ERR failed to parse request: {error}") from error


def commands_from_json(value: object) -> list[list[bytes]]:
    if not isinstance(value, list):
        raise BadRequest("ERR failed to parse pipeline request: it must be an array of arrays")
    if not value:
        raise BadRequest("ERR empty pipeline request")
    return [command_from_json(item) for item in value]


def command_from_path(path: str, query: str, body: bytes) -> Command:
    """`/set/foo?EX=100` with a body `v` is `SET foo v EX 100`; `path` and `query` still percent-encoded."""
    command = [unquote_to_bytes(part) for part in path.split("/") if part]
    if body:
        command.append(body)
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if name == "_token":
            continue
        command.append(unquote_to_bytes(name.replace("+", " ")))
        if equals and value:
            command.append(unquote_to_bytes(value.replace("+", " ")))
    return command


def result(reply: Reply, base64_encoded: bool) -> dict[str, JsonReply]:
    """`{"result": …}` or `{"error": …}`: one item of an answer."""
    if isinstance(reply, Failure):
        return {"error": reply.text}
    if base64_encoded and isinstance(reply, Status) and reply == b"OK":
        return {"result": "OK"}
    return {"result": _in_base64(reply) if base64_encoded else _as_text(reply)}


def dump(answer: object) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _argument(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    raise BadRequest("ERR failed to parse command: arguments must be strings, numbers or booleans")


def _as_text(reply: Reply) -> JsonReply:
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "replace")
    return [_as_text(item) for item in reply] if isinstance(reply, list) else reply


def _in_base64(reply: Reply) -> JsonReply:
    if isinstance(reply, bytes):
        return base64.b64encode(reply).decode()
    return [_in_base64(item) for item in reply] if isinstance(reply, list) else reply
