"""`/connections`, and that the channel function keeps tenants apart."""

import secrets

import pytest

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.identity import Permission
from shared.auth.revocations import Revocations
from tests.functions.backend import Backend, backend_of
from tests.realtime.conftest import World, another_environment, sent, world
from tests.support.connections import RecordingConnections

__all__ = ["sent", "world"]


@pytest.fixture
def backend(world: World, issuer: ThreadedIssuer) -> Backend:
    return backend_of(world, issuer)


def test_connections_are_paged(backend: Backend) -> None:
    world = backend.world
    clients = {world.client(f"u{i}").connection for i in range(5)}
    headers, cursor, seen = backend.key(), None, []
    while True:
        query = f"/connections?limit=2&cursor={cursor}" if cursor else "/connections?limit=2"
        page = backend.client.get(query, headers=headers).json()
        assert len(page["items"]) <= 2
        seen += [item["client"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == clients


def test_a_connection_shows_its_channels_and_times(backend: Backend) -> None:
    ann = backend.world.client("ann")
    backend.world.subscribe(ann, "chat:a")
    (item,) = backend.client.get("/connections", headers=backend.key()).json()["items"]
    assert item["client"] == ann.connection
    assert item["user"] == "ann"
    assert item["channels"] == ["chat:a", "user:ann"]
    assert item["connected_at"] < item["expires_at"]
    assert item["connected_at"].endswith("Z")


def test_closing_a_connection_is_said_once(backend: Backend) -> None:
    ann, headers = backend.world.client("ann"), backend.key()
    assert backend.client.delete(f"/connections/{ann.connection}", headers=headers).status_code == 204
    assert backend.world.sent.closed == [ann.connection]
    gone = backend.client.delete(f"/connections/{ann.connection}", headers=headers)
    assert gone.status_code == 404
    assert backend.client.get("/connections", headers=headers).json()["items"] == []


def test_connections_are_for_admins_with_good_cursors(backend: Backend) -> None:
    for headers, status in ((backend.key(Permission.READ, Permission.WRITE), 403), ({"accept": "*/*"}, 401)):
        assert backend.client.get("/connections", headers=headers).status_code == status
        assert backend.client.delete("/connections/x", headers=headers).status_code == status
    for query in ("cursor=forged", "limit=0", "limit=201", "limit=x"):
        assert backend.client.get(f"/connections?{query}", headers=backend.key()).status_code == 422


def test_a_revoked_admin_sees_and_closes_nothing(backend: Backend) -> None:
    ann, headers = backend.world.client("ann"), backend.token("admin", sub="boss")
    assert backend.client.get("/connections", headers=headers).status_code == 200
    Revocations(backend.world.realtime.redis, backend.world.scope).revoke_tokens("boss")
    assert backend.client.get("/connections", headers=headers).status_code == 401
    assert backend.client.delete(f"/connections/{ann.connection}", headers=headers).status_code == 401
    assert backend.world.sent.closed == []


def test_another_tenants_things_do_not_exist(
    backend: Backend,
    issuer: ThreadedIssuer,
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Same names on both sides, and every method: the other tenant neither sees nor touches anything."""
    foreign = backend_of(another_environment(upstash, sent, monkeypatch), issuer)
    ann = backend.world.client("ann")
    backend.world.subscribe(ann, "chat:a")
    epoch = backend.result("publish", {"channel": "chat:a", "data": "secret", "idempotency_key": "k"})["epoch"]

    unknown = foreign.client.delete(f"/connections/{secrets.token_urlsafe(8)}", headers=foreign.key())
    theirs = foreign.client.delete(f"/connections/{ann.connection}", headers=foreign.key())
    assert theirs.status_code == unknown.status_code == 404
    assert {**theirs.json(), "instance": ""} == {**unknown.json(), "instance": ""}

    assert foreign.client.get("/connections", headers=foreign.key()).json()["items"] == []
    assert foreign.result("presence", {"channel": "chat:a"}) == {"presence": {}}
    assert foreign.result("connections", {"user": "ann"}) == {"connections": {}}
    assert foreign.result("history", {"channel": "chat:a", "limit": -1})["publications"] == []
    assert foreign.error("history", {"channel": "chat:a", "limit": 1, "since": {"offset": 0, "epoch": epoch}}) == 112
    published = foreign.result("publish", {"channel": "chat:a", "data": "theirs", "idempotency_key": "k"})
    assert published["offset"] == 1
    assert published["delivery"]["delivered"] == 0
    for method in ("disconnect", "block_user", "invalidate_user_tokens"):
        foreign.result(method, {"user": "ann"})
        foreign.result(method, {"user": "ann", "client": ann.connection})

    assert [pub["data"] for pub in sent.pushes(ann.connection, "pub")] == ["secret"]
    assert sent.closed == []
    assert list(backend.result("presence", {"channel": "chat:a"})["presence"]) == [ann.connection]
    backend.world.client("ann")
