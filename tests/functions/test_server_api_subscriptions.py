"""`subscribe` and `unsubscribe` of the server API: what the client is told, and what the others."""

import base64
from typing import Any

import pytest

from local.issuer import ThreadedIssuer
from tests.functions.backend import Backend, backend_of
from tests.realtime.conftest import World, sent, world

__all__ = ["sent", "world"]
CHANNEL = "chat:lobby"
ASKED = {"user": "ann", "channel": CHANNEL}


@pytest.fixture
def backend(world: World, issuer: ThreadedIssuer) -> Backend:
    return backend_of(world, issuer)


@pytest.mark.parametrize("form", ["plain", "base64"])
def test_the_client_gets_data_and_the_others_see_info(backend: Backend, form: str) -> None:
    ann, listener = backend.world.client("ann"), backend.world.client("bob")
    backend.world.subscribe(listener, CHANNEL, join_leave=True)
    given: dict[str, Any] = {"info": {"role": "host"}, "data": {"seat": [1, 2]}}
    if form == "base64":
        texts = {"b64info": b'{ "role":\n"host" }', "b64data": b'{"seat": [1,\n2]}'}
        given = {name: base64.b64encode(text).decode() for name, text in texts.items()}
    backend.result("subscribe", {**ASKED, **given})
    (told,) = backend.world.sent.pushes(ann.connection, "subscribe")
    assert told["data"] == {"seat": [1, 2]}
    shown = {"user": "ann", "client": ann.connection, "chan_info": {"role": "host"}}
    assert backend.world.sent.pushes(listener.connection, "join") == [{"info": shown}]
    assert backend.result("presence", {"channel": CHANNEL})["presence"][ann.connection] == shown


def test_without_data_there_is_none(backend: Backend) -> None:
    ann = backend.world.client("ann")
    backend.result("subscribe", {**ASKED, "data": None, "info": None, "b64data": "", "override": None})
    (told,) = backend.world.sent.pushes(ann.connection, "subscribe")
    assert "data" not in told
    assert "chan_info" not in backend.result("presence", {"channel": CHANNEL})["presence"][ann.connection]


def test_joins_and_leaves_can_be_told_to_one_subscription(backend: Backend) -> None:
    ann, bob = backend.world.client("ann"), backend.world.client("bob")
    backend.result("subscribe", {**ASKED, "override": {"force_push_join_leave": {"value": True}}})
    backend.world.subscribe(bob, CHANNEL)
    assert [join["info"]["user"] for join in backend.world.sent.pushes(ann.connection, "join")] == ["bob"]


def test_what_the_namespace_says_may_be_said_again_but_not_changed(backend: Backend) -> None:
    backend.world.client("ann")
    options = {"presence": True, "join_leave": True, "force_push_join_leave": False, "force_recovery": True}
    backend.result("subscribe", {**ASKED, "override": {name: {"value": is_on} for name, is_on in options.items()}})
    for name in ("presence", "join_leave", "force_recovery", "force_positioning"):
        assert backend.error("subscribe", {**ASKED, "override": {name: {"value": False}}}) == 108, name


def test_no_connection_is_of_a_client_session(backend: Backend) -> None:
    ann = backend.world.client("ann")
    backend.result("subscribe", {**ASKED, "session": "Centrifugo's"})
    assert backend.result("presence", {"channel": CHANNEL}) == {"presence": {}}
    backend.result("subscribe", ASKED)
    backend.result("unsubscribe", {**ASKED, "session": "Centrifugo's"})
    assert list(backend.result("presence", {"channel": CHANNEL})["presence"]) == [ann.connection]


@pytest.mark.parametrize(
    "bad",
    [
        {"data": "x" * 16_384},
        {"info": "x" * 1_024},
        {"b64data": "???"},
        {"b64info": base64.b64encode(b"\xff").decode()},
        {"override": {"presence": True}},
        {"override": []},
    ],
    ids=lambda bad: ",".join(bad),
)
def test_a_bad_subscription_is_107(backend: Backend, bad: dict[str, Any]) -> None:
    assert backend.error("subscribe", {**ASKED, **bad}) == 107
