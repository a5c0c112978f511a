"""The client protocol as an AsyncAPI 3.0 document, made of the models that validate its frames.

`python -m shared.realtime.asyncapi` writes `asyncapi.json` beside this file. Nothing deployed imports this.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from shared import errors
from shared.errors import TrafficCopError
from shared.realtime import asyncapi_examples as examples
from shared.realtime import protocol
from shared.realtime.protocol import KEEP_ALIVE, METHODS, Command, ServerDisconnect
from shared.realtime.replies import PUSHES, REPLIES, Push, Reply
from shared.realtime.whole import described_whole

FILE: Final = Path(__file__).with_name("asyncapi.json")
_Json = dict[str, Any]
_WITHOUT_ID: Final = "send"
_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = """\
The Centrifuge bidirectional client protocol in JSON, as Traffic Cop speaks it over API Gateway's WebSockets. The stock
SDKs `centrifuge` (npm), `centrifuge-python` and `centrifuge-go` (JSON client) need nothing else.

One text frame carries one or more JSON texts separated by newlines: commands to the server, replies and pushes to the
client. A client's `{}` is ignored. A frame has at most 32 KB to the server and 128 KB to the client; binary frames end
the connection. Command ids rise within a connection; replies may come in another order. What is not a command of these
schemas, or comes before `connect`, ends the connection with 3501. Members that no schema names are ignored.

The token comes with the handshake (header `Authorization: Bearer`, query `access_token`, or the second of the
subprotocols `centrifuge-json, bearer.<token>`) or in `connect`. The handshake is answered 401 for a bad token, 403
without a tenant or permission, 429 when a cap is reached.

Channels are local to the tenant. `session:<id>` and `file:<id>` carry the changes of sessions and files as publications
whose `data` is `{"type": "session.updated", …}` or `{"type": "file.available", …}`; only the server publishes there.
Every connection of a user is subscribed to `user:<id>` by the server.
"""


def document() -> _Json:
    """The whole document, as JSON data."""
    messages = {**_commands(), **_replies(), **_pushes(), "keepAlive": _keep_alive()}
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {"connection": _channel(messages)},
        "operations": {**{name: _command_operation(name) for name in METHODS}, **_push_operations()},
        "components": {"messages": messages, "schemas": _schemas(), "securitySchemes": _security_schemes()},
    }


def text() -> str:
    """The document as the file has it."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _info() -> _Json:
    return {
        "title": "Traffic Cop: the client protocol",
        "version": "1.0.0",
        "description": f"{_ABOUT}\n{_error_codes()}\n{_disconnect_codes()}",
        "license": {"name": "MIT"},
    }


def _error_codes() -> str:
    titles: dict[int, set[str]] = defaultdict(set)
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, TrafficCopError):
            titles[error.protocol_code].add(error.title.lower())
    rows = [f"| {code} | {', '.join(sorted(names))} |" for code, names in sorted(titles.items())]
    return "\n".join(["| error | what it tells |", "|---|---|", *rows, ""])


def _disconnect_codes() -> str:
    known = sorted((why.code, why.reason) for why in vars(protocol).values() if isinstance(why, ServerDisconnect))
    rows = [f"| {code} | {reason} | {'yes' if code < 3500 else 'no'} |" for code, reason in known]
    return "\n".join(["| disconnect | reason | reconnects |", "|---|---|---|", *rows, ""])


def _servers() -> _Json:
    security = [{"$ref": f"#/components/securitySchemes/{name}"} for name in _security_schemes()]
    return {
        "aws": {
            "host": "{api}.execute-api.{region}.amazonaws.com",
            "pathname": "/{stage}",
            "protocol": "wss",
            "description": "An API Gateway WebSocket API.",
            "variables": {
                "api": {"description": "The API's id."},
                "region": {"default": "us-east-1"},
                "stage": {"default": "prod"},
            },
            "security": security,
        },
        "local": {
            "host": "127.0.0.1:4001",
            "pathname": "/local",
            "protocol": "ws",
            "description": "`traffic-cop up`.",
            "security": security,
        },
    }


def _security_schemes() -> _Json:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "query": {"type": "httpApiKey", "in": "query", "name": "access_token"},
        "subprotocol": {
            "type": "httpApiKey",
            "in": "header",
            "name": "Sec-WebSocket-Protocol",
            "description": "`centrifuge-json, bearer.<token>`; only the first is echoed.",
        },
        "inConnect": {
            "type": "userPassword",
            "description": "No credential in the handshake: the token comes in `connect` within 15 seconds.",
        },
    }


def _channel(messages: _Json) -> _Json:
    query = {
        "type": "object",
        "properties": {
            "access_token": {"type": "string", "description": "The token, where no header can be set."},
            "tenant": {"type": "string", "description": "Which tenant, for users of several."},
        },
    }
    return {
        "address": "/",
        "title": "A connection",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    }


def _command_operation(method: str) -> _Json:
    replied = [name for name in (method, "error") if name in REPLIES and method != _WITHOUT_ID]
    operation: _Json = {
        "action": "receive",
        "channel": {"$ref": "#/channels/connection"},
        "summary": _about(Command, method),
        "messages": [_of_channel(f"{method}Command")],
    }
    if replied:
        answers = [_of_channel(f"{name}Reply") for name in replied]
        operation["reply"] = {"channel": {"$ref": "#/channels/connection"}, "messages": answers}
    return operation


def _push_operations() -> _Json:
    names = {**{f"push_{kind}": f"{kind}Push" for kind in PUSHES}, "keep_alive": "keepAlive"}
    return {
        name: {
            "action": "send",
            "channel": {"$ref": "#/channels/connection"},
            "messages": [_of_channel(message)],
        }
        for name, message in names.items()
    }


def _of_channel(message: str) -> _Json:
    return {"$ref": f"#/channels/connection/messages/{message}"}


def _commands() -> _Json:
    found = {}
    for method in METHODS:
        properties: _Json = {"id": _property(Command, "id"), method: _property(Command, method)}
        required = [method]
        if method != _WITHOUT_ID:
            # The model leaves this to the decoder, because it depends on the method.
            properties["id"] = {**properties["id"], "minimum": 1}
            properties["id"].pop("default")
            required.insert(0, "id")
        others = [{"required": [other]} for other in METHODS if other != method]
        payload = {**_object(properties, required), "not": {"anyOf": others}}
        found[f"{method}Command"] = _message(method, _about(Command, method), payload, examples.COMMANDS[method])
    return found


def _replies() -> _Json:
    found = {}
    for name in REPLIES:
        payload = _object({"id": _property(Reply, "id"), name: _property(Reply, name)}, ["id", name])
        found[f"{name}Reply"] = _message(name, _about(Reply, name), payload, examples.REPLIES[name])
    return found


def _pushes() -> _Json:
    found = {}
    for kind in PUSHES:
        properties = {"channel": _property(Push, "channel"), kind: _property(Push, kind)}
        if kind == "disconnect":
            del properties["channel"]
        payload = _object({"push": _object(properties, sorted(properties))}, ["push"])
        found[f"{kind}Push"] = _message(kind, _about(Push, kind), payload, examples.PUSHES[kind])
    return found


def _keep_alive() -> _Json:
    frame = json.loads(KEEP_ALIVE)
    payload = {"const": frame}
    return _message("keepAlive", "Keeps an idle connection open; SDKs ignore it.", payload, frame)


def _message(name: str, summary: str, payload: _Json, example: _Json) -> _Json:
    message: _Json = {"name": name, "summary": summary, "payload": payload, "examples": [{"payload": example}]}
    if "id" in payload.get("properties", {}):
        message["correlationId"] = {"location": "$message.payload#/id"}
    return message


def _object(properties: _Json, required: list[str]) -> _Json:
    return {"type": "object", "properties": properties, "required": required}


def _property(struct: type[msgspec.Struct], name: str) -> _Json:
    """The schema of a struct's member; null, by which the decoder tells absent members, is left out."""
    _, components = msgspec.json.schema_components([struct], schema_hook=described_whole, ref_template=_REF)
    schema: _Json = dict(components[struct.__name__]["properties"][name])
    if {"type": "null"} in schema.get("anyOf", ()):
        (schema,) = (one for one in schema["anyOf"] if one != {"type": "null"})
    return schema


def _about(struct: type[msgspec.Struct], name: str) -> str:
    """The first line of what the model of a member says of itself."""
    reference: str = _property(struct, name)["$ref"]
    description: str = _schemas()[reference.rsplit("/", 1)[1]]["description"]
    return description


def _schemas() -> _Json:
    kinds = (Command, Reply, Push)
    _, components = msgspec.json.schema_components(kinds, schema_hook=described_whole, ref_template=_REF)
    parts = {kind.__name__ for kind in kinds}
    return cast("_Json", {name: schema for name, schema in components.items() if name not in parts})


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
