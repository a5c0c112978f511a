"""No instance affinity: any Lambda environment serves any event, and killing them all loses nothing acknowledged.

Against the running local stack, with tokens from its Supabase issuer; every function has several environments.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.support.client import Client, Refused
from tests.support.stack import ALICE, AMIR, BOB, Stack, eventually

CSV = b"name,age\nAda,36\nGrace,45\n"


@pytest.fixture
def alice(stack: Stack) -> str:
    return stack.token(ALICE)


@pytest.fixture
def amir(stack: Stack) -> str:
    return stack.token(AMIR)


@pytest.fixture
def bob(stack: Stack) -> str:
    return stack.token(BOB)


@pytest.fixture
def open_client(stack: Stack) -> Iterator[Callable[..., Client]]:
    with ExitStack() as opened:
        yield lambda *args, **options: opened.enter_context(Client(stack.websocket, *args, **options))


def listed(stack: Stack, token: str) -> dict[str, dict[str, Any]]:
    """The tenant's open connections by id."""
    with stack.api(token) as api:
        found: dict[str, dict[str, Any]] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = api.get("/connections", params={"cursor": cursor} if cursor else {}).raise_for_status().json()
            found |= {item["client"]: item for item in page["items"]}
            cursor = page["next_cursor"]
        return found


def new_session(stack: Stack, token: str, data: dict[str, Any]) -> str:
    with stack.api(token) as api:
        created = api.post("/sessions", json={"data": data, "ttl_seconds": 600})
        assert created.status_code == 201, created.text
        return str(created.json()["id"])


def uploaded(stack: Stack, token: str, content: bytes = CSV, name: str = "people.csv", **more: Any) -> str:
    with stack.api(token) as api:
        asked = {"name": name, "content_type": "text/csv", "size": len(content), **more}
        created = api.post("/files", json=asked)
        assert created.status_code == 201, created.text
        upload = created.json()["upload"]
    put = httpx.request(upload["method"], upload["url"], headers=upload["headers"], content=content)
    assert put.status_code == 200, put.text
    return str(created.json()["file"]["id"])


def parsed(stack: Stack, token: str, file_id: str) -> httpx.Response:
    with stack.api(token) as api:
        return eventually(lambda: api.get(f"/files/{file_id}/parsed"), lambda answer: answer.status_code != 409, 30)


def test_phase1_connection_registry_redis(
    stack: Stack, alice: str, amir: str, bob: str, open_client: Callable[..., Client]
) -> None:
    """Every open socket is in the registry that all environments share, with its channels; none of another tenant."""
    clients = [open_client(token) for token in (alice, amir, amir, alice, amir)]
    foreign = open_client(bob)
    for client in clients:
        client.subscribe("chat:registry")
    found = listed(stack, alice)
    for client in clients:
        assert "chat:registry" in found[client.id]["channels"]
    assert foreign.id not in found
    assert foreign.id in listed(stack, bob)
    clients[0].close()
    remaining = eventually(lambda: listed(stack, alice), lambda now: clients[0].id not in now)
    assert clients[0].id not in remaining
    assert clients[1].id in remaining


def test_phase1_connection_persistence(stack: Stack, alice: str, amir: str, open_client: Callable[..., Client]) -> None:
    """Sockets outlive every worker: what was subscribed before still receives after, in order."""
    publisher, subscriber = open_client(alice), open_client(amir)
    channel = "chat:persistence"
    for client in (publisher, subscriber):
        client.subscribe(channel)
    publisher.publish(channel, "before")
    subscriber.wait_for(channel, 1)
    assert stack.kill_workers() > 0
    publisher.publish(channel, "after")
    received = subscriber.wait_for(channel, 2)
    assert [push["data"] for push in received] == ["before", "after"]
    assert [push["offset"] for push in received] == [1, 2]
    assert {publisher.id, subscriber.id} <= set(listed(stack, alice))
    assert subscriber.closed is None


def test_phase2_session_storage_redis(stack: Stack, alice: str, open_client: Callable[..., Client]) -> None:
    """A session written through one environment reads back, whole and fresh, through all of them."""
    session_id = new_session(stack, alice, {"step": 0, "empty": [], "big": 9007199254740993})
    watcher = open_client(alice)
    watcher.subscribe(f"session:{session_id}")
    with stack.api(alice) as api:
        for step in range(1, 9):
            merge = {"content-type": "application/merge-patch+json"}
            patched = api.patch(f"/sessions/{session_id}", json={"step": step}, headers=merge)
            assert patched.status_code == 200, patched.text
            read = api.get(f"/sessions/{session_id}").json()
            assert read["data"] == {"step": step, "empty": [], "big": 9007199254740993}
            assert read["version"] == step + 1
    events = [push["data"] for push in watcher.wait_for(f"session:{session_id}", 8)]
    assert [event["version"] for event in events] == list(range(2, 10))
    assert {event["type"] for event in events} == {"session.updated"}


def test_phase2_session_persistence(stack: Stack, alice: str) -> None:
    """A session outlives every worker, and goes on from where it was."""
    session_id = new_session(stack, alice, {"kept": True})
    assert stack.kill_workers() > 0
    with stack.api(alice) as api:
        read = api.get(f"/sessions/{session_id}")
        assert read.status_code == 200
        assert read.json()["data"] == {"kept": True}
        merge = {"content-type": "application/merge-patch+json", "if-match": read.headers["etag"]}
        assert api.patch(f"/sessions/{session_id}", json={"more": 1}, headers=merge).json()["version"] == 2


def same_as_unknown(api: httpx.Client, method: str, path: str, thing: str, **options: Any) -> None:
    """A foreign id must answer exactly as one that never was."""
    unknown = secrets.token_urlsafe(16)[: len(thing)]
    foreign = api.request(method, path.format(thing), **options)
    never = api.request(method, path.format(unknown), **options)
    assert foreign.status_code == never.status_code == 404, (method, path, foreign.text)
    assert without_instance(foreign) == without_instance(never)


def without_instance(answer: httpx.Response) -> dict[str, Any]:
    """A problem document without the request's id."""
    return {name: value for name, value in answer.json().items() if name != "instance"}


def refused(client: Client, method: str, **params: Any) -> None:
    with pytest.raises(Refused) as error:
        client.call(method, **params)
    assert error.value.code in (102, 103)


def test_phase3_file_isolation(
    stack: Stack, alice: str, amir: str, bob: str, open_client: Callable[..., Client]
) -> None:
    """No route and no frame shows another tenant's file, both ways; nor another user's in the same tenant."""
    owned = {alice: uploaded(stack, alice), bob: uploaded(stack, bob, b"secret\nof bob\n", "bob.csv")}
    for owner, file_id in owned.items():
        assert parsed(stack, owner, file_id).status_code == 200
    for stranger, file_id in ((bob, owned[alice]), (alice, owned[bob]), (amir, owned[alice])):
        with stack.api(stranger) as api:
            for method, path in (
                ("GET", "/files/{}"),
                ("GET", "/files/{}/content"),
                ("GET", "/files/{}/parsed"),
                ("POST", "/files/{}/complete"),
                ("DELETE", "/files/{}"),
            ):
                same_as_unknown(api, method, path, file_id)
            assert file_id not in {item["id"] for item in api.get("/files").json()["items"]}
        refused(open_client(stranger), "subscribe", channel=f"file:{file_id}")
    for owner, file_id in owned.items():
        with stack.api(owner) as api:
            assert api.get(f"/files/{file_id}").status_code == 200
    rows = parsed(stack, alice, owned[alice]).json()["preview"]
    assert rows == [{"name": "Ada", "age": 36}, {"name": "Grace", "age": 45}]


def test_phase3_session_isolation(
    stack: Stack, alice: str, amir: str, bob: str, open_client: Callable[..., Client]
) -> None:
    """No route and no frame shows another tenant's session, both ways; nor another user's in the same tenant."""
    owned = {alice: new_session(stack, alice, {"of": "alice"}), bob: new_session(stack, bob, {"of": "bob"})}
    merge = {"headers": {"content-type": "application/merge-patch+json"}, "json": {"stolen": True}}
    for stranger, session_id in ((bob, owned[alice]), (alice, owned[bob]), (amir, owned[alice])):
        with stack.api(stranger) as api:
            same_as_unknown(api, "GET", "/sessions/{}", session_id)
            same_as_unknown(api, "PATCH", "/sessions/{}", session_id, **merge)
            same_as_unknown(api, "POST", "/sessions/{}/touch", session_id)
            same_as_unknown(api, "POST", "/sessions/{}/end", session_id)
            same_as_unknown(api, "DELETE", "/sessions/{}", session_id)
            same_as_unknown(api, "GET", "/sessions/{}/connections", session_id)
            assert session_id not in {item["id"] for item in api.get("/sessions").json()["items"]}
        refused(open_client(stranger), "subscribe", channel=f"session:{session_id}")
    for owner, session_id in owned.items():
        with stack.api(owner) as api:
            assert api.get(f"/sessions/{session_id}").json()["version"] == 1
    meeting, other = open_client(alice), open_client(bob)
    meeting.subscribe("chat:same-name")
    other.subscribe("chat:same-name")
    meeting.publish("chat:same-name", "for acme")
    other.publish("chat:same-name", "for globex")
    assert [push["data"] for push in meeting.wait_for("chat:same-name", 1)] == ["for acme"]
    assert [push["data"] for push in other.wait_for("chat:same-name", 1)] == ["for globex"]
    assert set(meeting.call("presence", channel="chat:same-name")["presence"]) == {meeting.id}


def member_of(stack: Stack, tenant: str, name: str) -> str:
    """A token of a new user of the tenant."""
    email = f"{name}-{secrets.token_hex(4)}@{tenant}.test"
    return stack.add_user(email, {"tenant_id": tenant, "permissions": ["read", "write"]})


def test_holistic_scaling_safety(stack: Stack, open_client: Callable[..., Client]) -> None:
    """Many clients of three tenants at once: each sees all and only what is its tenant's, in one order, gapless."""
    channel, rounds = "chat:scaling", 6
    clients: dict[str, list[Client]] = {}
    for tenant in ("acme", "globex", "initech"):
        tokens = [member_of(stack, tenant, f"user{i}") for i in range(3)]
        clients[tenant] = [open_client(token) for token in tokens for _ in range(3)]
    everyone = [(tenant, client) for tenant, group in clients.items() for client in group]
    with ThreadPoolExecutor(len(everyone)) as pool:
        list(pool.map(lambda one: one[1].subscribe(channel), everyone))

        def publish(one: tuple[str, Client]) -> None:
            tenant, client = one
            for i in range(rounds):
                client.publish(channel, {"tenant": tenant, "client": client.id, "i": i})

        list(pool.map(publish, everyone))
    for tenant, group in clients.items():
        expected = len(group) * rounds
        orders = []
        for client in group:
            pushes = client.wait_for(channel, expected, within_s=60)
            assert [push["offset"] for push in pushes] == list(range(1, expected + 1))
            assert {push["data"]["tenant"] for push in pushes} == {tenant}
            orders.append([(push["data"]["client"], push["data"]["i"]) for push in pushes])
        assert all(order == orders[0] for order in orders)


def test_holistic_service_restart(stack: Stack, alice: str, amir: str, open_client: Callable[..., Client]) -> None:
    """Every worker is killed again and again in the middle of traffic: nothing acknowledged is lost or reordered."""
    channel, total = "chat:restart", 40
    session_id, file_id = new_session(stack, alice, {"before": 1}), uploaded(stack, alice)
    publisher, subscribers = open_client(alice), [open_client(amir) for _ in range(3)]
    for client in (publisher, *subscribers):
        client.subscribe(channel)
    stop = threading.Event()

    def keep_killing() -> None:
        while not stop.wait(2.0):
            stack.kill_workers()

    killer = threading.Thread(target=keep_killing)
    killer.start()
    acknowledged: list[int] = []
    try:
        for i in range(total):
            with_reply = publisher.send("publish", channel=channel, data=i)
            try:
                publisher.reply(with_reply, "publish", within_s=3)
            except (Refused, TimeoutError):
                continue
            acknowledged.append(i)
    finally:
        stop.set()
        killer.join()
    assert len(acknowledged) > total / 4
    publisher.publish(channel, "end")
    for client in (publisher, *subscribers):
        pushes = eventually(
            lambda: client.pushes(channel),  # noqa: B023
            lambda pushes: any(push["data"] == "end" for push in pushes),
            within_s=90,
        )
        assert client.closed is None
        # A batch whose drainer died may come twice; README's line drops it by its offset.
        by_offset = {push["offset"]: push["data"] for push in pushes}
        assert list(by_offset) == list(range(1, len(by_offset) + 1))
        received = list(by_offset.values())
        assert received[-1] == "end"
        # What got no answer may stand anywhere, or nowhere; what was acknowledged stands in that order.
        assert [value for value in received if value in acknowledged] == acknowledged
    with stack.api(alice) as api:
        assert api.get(f"/sessions/{session_id}").json()["data"] == {"before": 1}
    assert parsed(stack, alice, file_id).json()["row_count"] == 2
