"""`$connect` and `$disconnect`: who is admitted, how, and what the handshake answers."""

import secrets
from typing import Any

import pytest
import redis

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from tests.functions.websocket_events import Gateway, connect_event, disconnect_event, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    return gateway_of(upstash, issuer, sent, monkeypatch)


def status(answer: tuple[str, dict[str, Any]]) -> int:
    return int(answer[1]["statusCode"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def is_recorded(direct: "redis.Redis", connection: str) -> bool:
    return bool(direct.exists(f"{{sock:{connection}}}"))


@pytest.mark.parametrize("place", ["header", "lower case header", "query", "subprotocol", "unspaced subprotocol"])
def test_a_token_is_taken_from_each_of_its_places(gateway: Gateway, redis_direct: "redis.Redis", place: str) -> None:
    token = gateway.token()
    places: dict[str, dict[str, Any]] = {
        "header": {"headers": bearer(token)},
        "lower case header": {"headers": {"authorization": f"bearer {token}"}},
        "query": {"access_token": token},
        "subprotocol": {"headers": {"Sec-WebSocket-Protocol": f"centrifuge-json, bearer.{token}"}},
        "unspaced subprotocol": {"headers": {"sec-websocket-protocol": f"bearer.{token},centrifuge-json"}},
    }
    connection, answer = gateway.handshake(**places[place])
    assert answer["statusCode"] == 200
    assert token not in str(answer)
    assert is_recorded(redis_direct, connection)


@pytest.mark.parametrize(
    ("offered", "echoed"),
    [
        ("centrifuge-json", "centrifuge-json"),
        ("a, centrifuge-json ,b", "centrifuge-json"),
        ("centrifuge-protobuf", None),
        ("bearer.x.y.z", None),
        ("", None),
        (None, None),
    ],
)
def test_only_the_protocol_is_echoed(gateway: Gateway, offered: str | None, echoed: str | None) -> None:
    headers = bearer(gateway.token()) | ({} if offered is None else {"Sec-WebSocket-Protocol": offered})
    _, answer = gateway.handshake(headers=headers)
    assert answer["statusCode"] == 200
    assert answer.get("headers") == (None if echoed is None else {"Sec-WebSocket-Protocol": echoed})


def test_a_bad_token_is_401(gateway: Gateway) -> None:
    good = gateway.token()
    tampered = f"{good[:-6]}{'A' * 6}"
    for bad in ("nonsense", "a.b.c", tampered, gateway.token(aud="other"), gateway.token(iss="https://evil.test")):
        assert status(gateway.handshake(headers=bearer(bad))) == 401


def test_no_tenant_or_no_permission_is_403(gateway: Gateway) -> None:
    nobody = gateway.token(app_metadata={})
    powerless = gateway.token(app_metadata={"tenant_id": gateway.tenant, "permissions": []})
    foreign = gateway.token()
    assert status(gateway.handshake(headers=bearer(nobody))) == 403
    assert status(gateway.handshake(headers=bearer(powerless))) == 403
    assert status(gateway.handshake(headers=bearer(foreign) | {"X-Tenant-Id": "another"})) == 403
    assert status(gateway.handshake(headers=bearer(foreign), tenant="another")) == 403
    assert status(gateway.handshake(headers=bearer(foreign), tenant=gateway.tenant)) == 200


def test_an_expired_token_or_none_is_admitted_without_identity(gateway: Gateway, redis_direct: "redis.Redis") -> None:
    for headers in (bearer(gateway.expired_token()), {}):
        connection, answer = gateway.handshake(headers=headers)
        assert answer["statusCode"] == 200
        assert not is_recorded(redis_direct, connection)
        shards = redis_direct.scan_iter(match="{sys}:due:*")
        assert any(redis_direct.zscore(shard, f"socket|{connection}") for shard in shards)


def test_a_setting_forbids_sockets_without_a_token(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = gateway_of(upstash, issuer, sent, monkeypatch, ALLOW_TOKENLESS_SOCKETS="false")
    with monkeypatch.context() as patch:
        patch.setenv("ALLOW_TOKENLESS_SOCKETS", "false")
        assert status(strict.handshake()) == 401
        assert status(strict.handshake(headers=bearer(strict.expired_token()))) == 401
        assert status(strict.handshake(headers=bearer(strict.token()))) == 200


@pytest.mark.parametrize("cap", ["TENANT", "USER", "ADDRESS"])
def test_a_full_cap_is_429_and_frees_with_a_disconnect(
    upstash: ThreadedUpstash,
    issuer: ThreadedIssuer,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    cap: str,
) -> None:
    small = gateway_of(upstash, issuer, sent, monkeypatch, **{f"MAX_CONNECTIONS_PER_{cap}": "2"})
    first = small.open(small.token())
    small.open(small.token())
    assert status(small.handshake(headers=bearer(small.token()))) == 429
    small.leave(first)
    assert status(small.handshake(headers=bearer(small.token()))) == 200
    assert status(small.handshake(headers=bearer(small.token()))) == 429


def test_a_revoked_token_is_401(gateway: Gateway, redis_direct: "redis.Redis") -> None:
    redis_direct.hset(f"{{t:{gateway.tenant}}}:user:ann", mapping={"revoked_before": 1 << 40, "x": 1 << 50})
    redis_direct.expire(f"{{t:{gateway.tenant}}}:user:ann", 100)
    assert status(gateway.handshake(headers=bearer(gateway.token("ann")))) == 401
    assert status(gateway.handshake(headers=bearer(gateway.token("bob")))) == 200


def test_without_redis_the_handshake_is_refused_not_broken(gateway: Gateway, upstash: ThreadedUpstash) -> None:
    upstash.faults.inject(Fault.BAD_GATEWAY, times=None)
    try:
        assert status(gateway.handshake(headers=bearer(gateway.token()))) == 503
        assert status(gateway.handshake()) == 503
        assert gateway.functions["disconnect"].handler(disconnect_event("x"), None) == {"statusCode": 200}
    finally:
        upstash.faults.clear()


def test_odd_handshakes_get_a_status(gateway: Gateway) -> None:
    event = connect_event(secrets.token_hex(8))
    event["headers"] = None
    assert gateway.functions["connect"].handler(event, None)["statusCode"] == 200
    huge = bearer("a" * 20_000)
    assert status(gateway.handshake(headers=huge)) == 401
    assert status(gateway.handshake(headers={"Authorization": "Basic eDp5"})) == 200
    assert status(gateway.handshake(headers={"Authorization": "Bearer"})) == 200


def test_a_disconnect_of_a_stranger_and_a_second_one_do_nothing(gateway: Gateway) -> None:
    client = gateway.client()
    for connection in ("never-seen", client, client):
        gateway.leave(connection)
    gateway.send(client, {"id": 2, "subscribe": {"channel": "chat:lobby"}})
    assert gateway.ended(client) == [3001]
