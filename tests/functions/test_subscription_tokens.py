"""Channels that ask for a subscription token, and tokens offered to channels that do not."""

from dataclasses import replace

import pytest

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.realtime import namespaces
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections
from tests.support.subscription import subscription_token

__all__ = ["sent"]
SETTING = "a setting"
DESK, CHAT = "desk:1", "chat:lobby"


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    needs_token = replace(namespaces._DEFAULT, subscription_token=True)
    monkeypatch.setitem(namespaces.NAMESPACES, "desk", needs_token)
    closed = replace(namespaces._DEFAULT, allow_subscribe_for_client=False)
    monkeypatch.setitem(namespaces.NAMESPACES, "closed", closed)
    return gateway_of(upstash, issuer, sent, monkeypatch, SUBSCRIPTION_SECRET=SETTING)


def token(gateway: Gateway, channel: str = DESK, user: str = "ann", ttl_s: float = 600) -> str:
    return subscription_token(SETTING, gateway.tenant, user, channel, ttl_s)


@pytest.mark.parametrize("channel", [DESK, "closed:1"])
def test_a_channel_that_asks_for_a_token_takes_nobody_without(gateway: Gateway, channel: str) -> None:
    client = gateway.client()
    assert gateway.error(client, 2, "subscribe", channel=channel) == 103
    reply = gateway.ask(client, 3, "subscribe", channel=channel, token=token(gateway, channel))["subscribe"]
    assert reply["expires"] is True
    assert 590 <= reply["ttl"] <= 600
    assert gateway.ask(client, 4, "publish", channel=channel, data=1) == {"id": 4, "publish": {}}


def test_a_token_is_looked_at_where_none_is_needed(gateway: Gateway) -> None:
    client = gateway.client()
    assert gateway.ask(client, 2, "subscribe", channel=CHAT, token=token(gateway, CHAT))["subscribe"]["expires"] is True
    assert gateway.error(client, 3, "subscribe", channel="chat:2", token="nonsense") == 103
    assert gateway.ended(client) == []


def test_an_expired_token_is_109_and_a_fresh_one_lets_in(gateway: Gateway) -> None:
    client = gateway.client()
    assert gateway.error(client, 2, "subscribe", channel=DESK, token=token(gateway, ttl_s=-60)) == 109
    assert gateway.ended(client) == []
    assert "subscribe" in gateway.ask(client, 3, "subscribe", channel=DESK, token=token(gateway))


def tokens_for_something_else(gateway: Gateway) -> dict[str, str]:
    return {
        "channel": token(gateway, "desk:2"),
        "user": token(gateway, user="bob"),
        "tenant": subscription_token(SETTING, "globex", "ann", DESK),
        "secret": subscription_token("another setting", gateway.tenant, "ann", DESK),
    }


def test_a_token_for_another_channel_user_or_tenant_opens_no_channel(gateway: Gateway) -> None:
    client = gateway.client()
    for cmd, (why, offered) in enumerate(tokens_for_something_else(gateway).items(), 2):
        assert gateway.error(client, cmd, "subscribe", channel=DESK, token=offered) == 103, why
    assert gateway.ended(client) == []


def test_refreshing_a_subscription_with_such_a_token_ends_the_connection(gateway: Gateway) -> None:
    for why, offered in tokens_for_something_else(gateway).items():
        client = gateway.client()
        gateway.ask(client, 2, "subscribe", channel=DESK, token=token(gateway))
        gateway.send(client, {"id": 3, "sub_refresh": {"channel": DESK, "token": offered}})
        assert gateway.ended(client) == [3500], why


def test_no_token_opens_a_users_channel_or_what_its_user_may_not_read(gateway: Gateway) -> None:
    client = gateway.client("ann")
    for cmd, channel in enumerate(("user:ann", "user:bob", "session:nothing", "file:nothing"), 2):
        assert gateway.error(client, cmd, "subscribe", channel=channel, token=token(gateway, channel)) == 103
    writer = gateway.client("wri", "write")
    assert gateway.error(writer, 2, "subscribe", channel=DESK, token=token(gateway, user="wri")) == 103


@pytest.mark.parametrize("named", [{"channel": DESK}, {}], ids=["with channel", "channel of the token"])
def test_sub_refresh_goes_on(gateway: Gateway, named: dict[str, str]) -> None:
    client = gateway.client()
    gateway.ask(client, 2, "subscribe", channel=DESK, token=token(gateway, ttl_s=60))
    shown = gateway.ask(client, 3, "sub_refresh", token=token(gateway, ttl_s=6000), **named)["sub_refresh"]
    assert shown["expires"] is True
    assert 5900 < shown["ttl"] <= 6000
    assert gateway.error(client, 4, "sub_refresh", token=token(gateway, ttl_s=-60), **named) == 109
    endless = subscription_token(SETTING, gateway.tenant, "ann", DESK, 0, exp=None)
    assert gateway.ask(client, 5, "sub_refresh", token=endless, **named) == {"id": 5, "sub_refresh": {}}


def test_sub_refresh_is_for_subscribers(gateway: Gateway) -> None:
    assert gateway.error(gateway.client(), 2, "sub_refresh", channel=DESK, token=token(gateway)) == 103


def test_a_token_names_a_channel_that_can_be_one(gateway: Gateway) -> None:
    client = gateway.client()
    offered = token(gateway, "with space")
    assert gateway.error(client, 2, "subscribe", channel="with space", token=offered) == 102
    assert gateway.error(client, 3, "sub_refresh", token=offered) == 102


def test_a_one_time_token_lets_in_for_good(gateway: Gateway) -> None:
    once = subscription_token(SETTING, gateway.tenant, "ann", DESK, 60, expire_at=0)
    client = gateway.client()
    assert "expires" not in gateway.ask(client, 2, "subscribe", channel=DESK, token=once)["subscribe"]


def test_without_the_setting_tokens_are_not_available(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = gateway_of(upstash, issuer, sent, monkeypatch)
    client = bare.client()
    offered = subscription_token(SETTING, bare.tenant, "ann", DESK)
    assert bare.error(client, 2, "subscribe", channel=DESK, token=offered) == 108
    assert bare.error(client, 3, "sub_refresh", token=offered) == 108
