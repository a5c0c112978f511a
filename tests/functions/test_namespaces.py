"""Each option of a namespace, by Centrifugo's name, does what its name says."""

from dataclasses import replace

import pytest

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.realtime import namespaces
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]
CHANNEL = "odd:1"


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    return gateway_of(upstash, issuer, sent, monkeypatch)


def subscribed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, **options: object) -> str:
    """A subscriber of a channel whose namespace has these options."""
    made = replace(namespaces._DEFAULT, **options)  # type: ignore[arg-type]
    monkeypatch.setitem(namespaces.NAMESPACES, "odd", made)
    client = gateway.client()
    assert "subscribe" in gateway.ask(client, 2, "subscribe", channel=CHANNEL)
    return client


@pytest.mark.parametrize(("forced", "heard"), [(True, ["bob"]), (False, [])])
def test_force_push_join_leave(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, forced: bool, heard: list[str]
) -> None:
    client = subscribed(gateway, monkeypatch, force_push_join_leave=forced)
    gateway.ask(gateway.client("bob"), 2, "subscribe", channel=CHANNEL)
    assert [push["info"]["user"] for push in gateway.sent.pushes(client, "join")] == heard


def test_join_leave_off_tells_nobody(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    client = subscribed(gateway, monkeypatch, join_leave=False, force_push_join_leave=True)
    gateway.ask(gateway.client("bob"), 2, "subscribe", channel=CHANNEL)
    assert gateway.sent.pushes(client, "join") == []


@pytest.mark.parametrize("recovers", [True, False])
def test_force_recovery(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, recovers: bool) -> None:
    client = subscribed(gateway, monkeypatch, force_recovery=recovers)
    assert gateway.reply(client, 2)["subscribe"].get("recoverable", False) is recovers


@pytest.mark.parametrize(
    ("option", "method"),
    [
        ("allow_publish_for_subscriber", "publish"),
        ("allow_history_for_subscriber", "history"),
        ("allow_presence_for_subscriber", "presence"),
        ("allow_presence_for_subscriber", "presence_stats"),
    ],
)
def test_what_a_subscriber_is_not_allowed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, option: str, method: str
) -> None:
    client = subscribed(gateway, monkeypatch, **{option: False})
    assert gateway.error(client, 3, method, channel=CHANNEL, data=1) == 103


def test_history_size(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    client = subscribed(gateway, monkeypatch, history_size=2)
    for cmd in (3, 4, 5):
        gateway.ask(client, cmd, "publish", channel=CHANNEL, data=cmd)
    past = gateway.ask(client, 6, "history", channel=CHANNEL, limit=-1)["history"]["publications"]
    assert [one["data"] for one in past] == [4, 5]
