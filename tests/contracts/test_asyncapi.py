"""The document of the client protocol is fresh, valid, and says what the decoder takes and what clients get."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from msgspec import UNSET

from functions.message import rpc
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.realtime import asyncapi, asyncapi_examples, replies
from shared.realtime.delivery import channel_keys
from shared.realtime.protocol import METHODS, BadFrame, SubscribeOptions, decode_frame
from tests.contracts.schemas import Frames, messages
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import World, sent, world
from tests.support.connections import RecordingConnections
from tests.support.subscription import subscription_token

__all__ = ["sent", "world"]
SPECIFICATION = Path(__file__).parents[1] / "sdk" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
DOCUMENT = json.loads(asyncapi.FILE.read_text(encoding="utf-8"))
CHANNEL = "chat:lobby"
KEEP_ALIVE = {"push": {"channel": "$ka"}}


def test_the_committed_document_is_what_the_models_say() -> None:
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.text(), "run python -m shared.realtime.asyncapi"


@pytest.mark.skipif(
    not SPECIFICATION.is_file() and "TRAFFIC_COP_REQUIRE_ALL" not in os.environ,
    reason="needs `npm ci` in tests/sdk; .ci/run does it",
)
def test_the_document_is_valid_asyncapi() -> None:
    validator = Draft7Validator(json.loads(SPECIFICATION.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(DOCUMENT)] == []
    broken = {**DOCUMENT, "operations": {"publish": {"action": "shout"}}}
    assert not validator.is_valid(broken)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    def references(node: Any) -> Iterator[str]:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            if name == "$ref":
                yield value
            elif isinstance(value, (dict, list)):
                yield from references(value)

    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_command_is_an_operation_with_its_reply() -> None:
    for method in METHODS:
        operation = DOCUMENT["operations"][method]
        answers = {one["$ref"].rsplit("/", 1)[1] for one in operation.get("reply", {"messages": []})["messages"]}
        assert answers <= {f"{method}Reply", "errorReply"}
        assert bool(answers) == (method != "send")


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_an_example_fits_its_message_and_no_other(name: str) -> None:
    direction = next(action for action in ("receive", "send") if name in messages(DOCUMENT, action))
    (example,) = DOCUMENT["components"]["messages"][name]["examples"]
    frames = Frames(DOCUMENT, messages(DOCUMENT, direction), exact=True)
    assert frames.fitting(example["payload"]) == [name]


# What the decoder takes.

COMMANDS = Frames(DOCUMENT, messages(DOCUMENT, "receive"))
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**32,
    2**63,
    2**64,
    1.0,
    1.5,
    "",
    "x",
    [],
    [1],
    {},
    {"a": {}},
    {"a": 1},
)


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield (*path, name)
            yield from places(member, (*path, name))


def mutated(command: Any, path: tuple[str, ...], value: Any) -> Any:
    """The command with another value at the place, or without it where the value is `...`."""
    name, *rest = path
    if rest:
        return {**command, name: mutated(command[name], tuple(rest), value)}
    without = {member: held for member, held in command.items() if member != name}
    return without if value is ... else {**without, name: value}


def decoder_takes(frame: Any) -> bool:
    try:
        return len(decode_frame(json.dumps(frame))) == 1
    except BadFrame:
        return False


@given(st.data())
def test_the_decoder_takes_exactly_the_commands_of_the_document(data: st.DataObject) -> None:
    command = data.draw(st.sampled_from(list(asyncapi_examples.COMMANDS.values())))
    for _ in range(data.draw(st.integers(0, 2))):
        chosen = [*places(command), *((method,) for method in METHODS)]
        value = data.draw(st.sampled_from((..., *VALUES)))
        command = mutated(command, data.draw(st.sampled_from(chosen)), value)
    # To the decoder a null method is none.
    shown = {name: held for name, held in command.items() if held is not None or name not in METHODS}
    assert decoder_takes(command) == bool(COMMANDS.fitting(shown))


# What clients get.


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    monkeypatch.setitem(rpc.METHODS, "echo", lambda socket, data: msgspec.Raw(bytes(data)))
    return gateway_of(upstash, issuer, sent, monkeypatch, SUBSCRIPTION_SECRET="setting")


def everything_that_clients_say(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """Two users meet in a channel and use every command; yields the direct replies."""
    ann, bob = gateway.client("ann", "read", "write", "execute"), gateway.client("bob")
    yield from gateway.send(bob, {"id": 2, "subscribe": {"channel": CHANNEL, "join_leave": True}})
    yield from gateway.send(
        ann,
        {"id": 2, "subscribe": {"channel": CHANNEL}},
        {"id": 3, "publish": {"channel": CHANNEL, "data": {"n": 1}}},
        {"id": 4, "publish": {"channel": CHANNEL, "data": None}},
        {"id": 5, "presence": {"channel": CHANNEL}},
        {"id": 6, "presence_stats": {"channel": CHANNEL}},
        {"id": 7, "ping": {}},
        {"id": 8, "rpc": {"method": "ping"}},
        {"id": 9, "rpc": {"method": "echo", "data": [1, {"a": None}]}},
        {"id": 10, "rpc": {"method": "unheard"}},
        {"id": 11, "refresh": {"token": gateway.token("ann", "read", "write")}},
        {"send": {"data": 1}},
    )
    token = subscription_token("setting", gateway.tenant, "ann", "chat:token", info={"role": "host"})
    yield from gateway.send(
        ann,
        {"id": 20, "subscribe": {"channel": "chat:token", "token": token}},
        {"id": 21, "sub_refresh": {"token": token}},
        {"id": 22, "presence": {"channel": "chat:token"}},
    )
    (history,) = gateway.send(ann, {"id": 13, "history": {"channel": CHANNEL, "limit": -1}})
    yield history
    position = {"epoch": history["history"]["epoch"], "offset": 1}
    yield from gateway.send(ann, {"id": 14, "unsubscribe": {"channel": CHANNEL}})
    yield from gateway.send(ann, {"id": 15, "subscribe": {"channel": CHANNEL, "recover": True, **position}})
    early = gateway.open(gateway.token("eve"))
    yield from gateway.send(early, {"id": 2, "presence": {"channel": CHANNEL}})
    gateway.send_text(ann, "not a frame")
    assert gateway.ended(ann) == [3501]


def everything_that_a_server_does(world: World, direct: "redis.Redis") -> None:
    """Publications with tags and without a place in history, a member whose next entry is gone, one whom it added."""
    client = world.client()
    world.publish("chat:added", 1)
    since = SubscribeOptions(
        recover=True, epoch=world.realtime.channels.history(world.scope, "chat:added", limit=0).epoch
    )
    world.realtime.channels.subscribe_user(world.scope, client.user, "chat:added", since, data='{"by":"the backend"}')
    world.subscribe(client, CHANNEL)
    world.realtime.channels.publish(world.scope, CHANNEL, b"1", tags={"kind": "test"}, skip_history=True)
    keys = {name: str(key) for name, key in channel_keys(world.scope, CHANNEL).items()}
    direct.hset(keys["channel"], mapping={"o": "dead", "d": int(time.time() * 1000) + 60_000})
    world.publish(CHANNEL, 1, 2)
    direct.xtrim(keys["log"], maxlen=1, approximate=False)
    direct.hset(keys["channel"], mapping={"d": 1})
    world.publish(CHANNEL, 3)


@pytest.fixture
def frames(gateway: Gateway, world: World, redis_direct: "redis.Redis") -> list[dict[str, Any]]:
    """Frames that clients got, of every kind."""
    direct = list(everything_that_clients_say(gateway))
    everything_that_a_server_does(world, redis_direct)
    idle = json.loads(gateway.send_text(gateway.client(), "{}"))
    recorder = gateway.sent
    return [*direct, idle, *(frame for connection in list(recorder._bodies) for frame in recorder.frames(connection))]


def told(frame: dict[str, Any]) -> Any:
    return msgspec.convert(frame["push"], replies.Push) if "push" in frame else msgspec.convert(frame, replies.Reply)


def members(value: Any) -> Iterator[tuple[str, str]]:
    """Which members of which models a value has."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            held = getattr(value, name)
            if held is not UNSET:
                yield type(value).__name__, name
                yield from members(held)
    elif isinstance(value, (list, dict)):
        for held in value.values() if isinstance(value, dict) else value:
            yield from members(held)


def test_clients_get_the_frames_of_the_document_and_every_kind_of_them(frames: list[dict[str, Any]]) -> None:
    known = Frames(DOCUMENT, messages(DOCUMENT, "send"), exact=True)
    fitting = [(frame, known.fitting(frame)) for frame in frames]
    assert [frame for frame, names in fitting if len(names) != 1] == []
    assert {name for _, (name,) in fitting} == set(messages(DOCUMENT, "send"))


def test_no_model_of_what_clients_get_has_a_member_that_never_comes(frames: list[dict[str, Any]]) -> None:
    models = [one for one in vars(replies).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    named = {(one.__name__, name) for one in models if one.__name__[0] != "_" for name in one.__struct_fields__}
    seen = {member for frame in frames if frame != KEEP_ALIVE for member in members(told(frame))}
    assert named - seen == set()
