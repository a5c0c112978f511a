"""`/sessions` over HTTP: what the routes do and whom they let do it."""

import asyncio
import secrets
from typing import Any

import httpx
import pytest

from local.redis import ThreadedUpstash
from shared.auth.identity import Permission
from tests.functions.session_site import PATCHING, Site, problem_of, site
from tests.realtime.conftest import World
from tests.sessions.conftest import sent, team
from tests.support.connections import RecordingConnections

__all__ = ["sent", "site", "team"]


def test_a_session_is_created_with_its_place_and_tag(site: Site) -> None:
    answer = site.call("POST", "/sessions", {"data": {"step": 1}, "ttl_seconds": 3600})
    session = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/sessions/{session['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (session["owner"], session["data"], session["version"]) == ("ann", {"step": 1}, 1)
    assert site.call("GET", f"/sessions/{session['id']}").json() == session


def test_a_session_needs_no_members_at_all(site: Site) -> None:
    assert site.create()["data"] == {}
    assert site.call("POST", "/sessions").json()["data"] == {}


def test_get_answers_304_to_who_has_this_version(site: Site) -> None:
    path = f"/sessions/{site.create()['id']}"
    for tag in ('"1"', 'W/"1"', '"0", "1"', "1", "*"):
        answer = site.call("GET", path, if_none_match=tag)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')
    assert site.call("GET", path, if_none_match='"2"').status_code == 200


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
def test_patch_merges_into_data(site: Site, media_type: str) -> None:
    path = f"/sessions/{site.create(data={'a': 1, 'b': {'c': 2}})['id']}"
    answer = site.call("PATCH", path, {"a": None, "b": {"d": 3}}, content_type=media_type)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json()["data"] == {"b": {"c": 2, "d": 3}}


def test_patch_with_a_stale_tag_is_412_and_with_the_right_one_works(site: Site) -> None:
    path = f"/sessions/{site.create()['id']}"
    assert site.call("PATCH", path, {"a": 1}, if_match='"1"').status_code == 200
    assert problem_of(site.call("PATCH", path, {"a": 2}, if_match='"1"'), 412, "precondition-failed")["version"] == 2
    assert site.call("PATCH", path, {"a": 2}, if_match='"1"').headers["etag"] == '"2"'


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unauthorized"),
        ({"authorization": "Bearer"}, "unauthorized"),
        ({"authorization": "Basic YTpi"}, "unauthorized"),
        ({"authorization": "Bearer nonsense"}, "invalid-token"),
        ({"x-api-key": "tck_acme_nonsense"}, "invalid-api-key"),
        ({"authorization": "apikey nonsense"}, "invalid-api-key"),
    ],
)
def test_without_a_good_credential_everything_is_401(site: Site, headers: dict[str, str], code: str) -> None:
    for method, path in ROUTES:
        answer = site.client.request(method, path.format(id="0" * 32), headers=headers, content=b"not json")
        problem_of(answer, 401, code)
        assert answer.headers["www-authenticate"].startswith("Bearer")


ROUTES = [
    ("POST", "/sessions"),
    ("GET", "/sessions"),
    ("GET", "/sessions/{id}"),
    ("PATCH", "/sessions/{id}"),
    ("PUT", "/sessions/{id}/access"),
    ("PATCH", "/sessions/{id}/access"),
    ("POST", "/sessions/{id}/touch"),
    ("POST", "/sessions/{id}/end"),
    ("DELETE", "/sessions/{id}"),
    ("GET", "/sessions/{id}/connections"),
]


def test_without_the_permission_everything_is_403(site: Site) -> None:
    session_id = site.create()["id"]
    for method, path in ROUTES:
        lacking = "write" if method == "GET" else "read"
        headers = {"authorization": f"Bearer {site.token('ann', lacking)}"}
        answer = site.client.request(method, path.format(id=session_id), headers=headers)
        problem_of(answer, 403, "permission-denied")


def test_another_tenants_id_answers_exactly_as_an_unknown_one(site: Site) -> None:
    session_id = site.create()["id"]
    foreign = {"authorization": f"Bearer {site.token('ann', 'admin', tenant='globex')}"}
    colleague = {"authorization": f"Bearer {site.token('bob')}"}
    for method, path in ROUTES[2:]:
        body = {"tenant": "read"} if method in ("PUT", "PATCH") else None
        for headers in (foreign, colleague):
            answers = [
                site.client.request(method, path.format(id=asked), headers=headers, json=body)
                for asked in (session_id, secrets.token_hex(16), "x")
            ]
            documents = [problem_of(answer, 404, "not-found") for answer in answers]
            assert all({**one, "instance": ""} == {**documents[0], "instance": ""} for one in documents)


def test_sharing_lets_a_colleague_in(site: Site) -> None:
    path = f"/sessions/{site.create()['id']}"
    assert site.call("PUT", f"{path}/access", {"users": {"bob": "read"}}).json()["access"] == {
        "tenant": None,
        "users": {"bob": "read"},
    }
    assert site.call("GET", path, user="bob").status_code == 200
    problem_of(site.call("PATCH", path, {"a": 1}, user="bob"), 403, "permission-denied")
    assert site.call("PUT", f"{path}/access", {"tenant": "write"}).headers["etag"] == '"3"'
    assert site.call("PATCH", path, {"a": 1}, user="cat").status_code == 200


@pytest.mark.parametrize("body", [None, {}])
def test_a_forgotten_body_takes_no_share_away(site: Site, body: Any) -> None:
    path = f"/sessions/{site.create(access={'tenant': 'read'})['id']}"
    document = problem_of(site.call("PUT", f"{path}/access", body), 422, "invalid")
    assert document["detail"].startswith("give tenant or users")
    assert site.call("GET", path, user="bob").status_code == 200
    assert site.call("PUT", f"{path}/access", {"tenant": None}).json()["access"] == {"tenant": None, "users": {}}


def test_single_shares_are_added_and_taken_by_merge_patch(site: Site) -> None:
    path = f"/sessions/{site.create(access={'tenant': 'read', 'users': {'bob': 'read'}})['id']}/access"
    answer = site.call("PATCH", path, {"tenant": None, "users": {"bob": None, "cat": "write"}}, **PATCHING)
    assert answer.json()["access"] == {"tenant": None, "users": {"cat": "write"}}
    problem_of(site.call("PATCH", path, {"users": {"cat": "own"}}), 422, "invalid")
    problem_of(site.call("PATCH", path, {"owner": "cat"}), 422, "invalid")


def test_end_touch_and_delete(site: Site) -> None:
    path = f"/sessions/{site.create()['id']}"
    assert site.call("POST", f"{path}/touch").headers["etag"] == '"1"'
    ended = site.call("POST", f"{path}/end")
    assert (ended.status_code, ended.json()["status"], ended.headers["etag"]) == (200, "ended", '"2"')
    assert problem_of(site.call("PATCH", path, {"a": 1}), 409, "conflict")["session_status"] == "ended"
    deleted = site.call("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    problem_of(site.call("GET", path), 404, "not-found")


def test_lists_go_page_by_page_with_cursors_that_only_fit_their_list(site: Site) -> None:
    made = [site.create()["id"] for _ in range(5)]
    first = site.call("GET", "/sessions?limit=2").json()
    assert first.keys() == {"items", "next_cursor"}
    ids = [item["id"] for item in first["items"]]
    cursor = first["next_cursor"]
    while cursor:
        page = site.call("GET", f"/sessions?limit=2&cursor={cursor}").json()
        ids += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(ids) == sorted(made)
    assert len(ids) == 5
    cursor = first["next_cursor"]
    problem_of(site.call("GET", f"/sessions?cursor={cursor}&status=active"), 422, "invalid")
    problem_of(site.call("GET", f"/sessions?cursor={cursor}", user="bob"), 422, "invalid")
    foreign = {"authorization": f"Bearer {site.token(tenant='globex')}"}
    problem_of(site.client.get(f"/sessions?cursor={cursor}", headers=foreign), 422, "invalid")


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "status=dead", "cursor=nonsense", "cursor=%21", "owner="])
def test_a_wrong_parameter_is_422_and_named(site: Site, query: str) -> None:
    document = problem_of(site.call("GET", f"/sessions?{query}"), 422, "invalid")
    assert document["errors"][0]["parameter"] == query.partition("=")[0]


def test_an_idempotency_key_gives_the_first_answer_again(site: Site) -> None:
    first, again = (site.call("POST", "/sessions", {"data": {"n": 1}}, idempotency_key="k1") for _ in range(2))
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len(site.call("GET", "/sessions").json()["items"]) == 1


def test_an_idempotency_key_with_another_body_is_422(site: Site) -> None:
    site.call("POST", "/sessions", {"data": {"n": 1}}, idempotency_key="k1")
    answer = site.call("POST", "/sessions", {"data": {"n": 2}}, idempotency_key="k1")
    problem_of(answer, 422, "idempotency-mismatch")


def test_concurrent_duplicates_make_one_session(site: Site) -> None:
    headers = {"authorization": f"Bearer {site.token()}", "idempotency-key": "same"}

    async def create_eight_times() -> list[httpx.Response]:
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
            return await asyncio.gather(*(client.post("/sessions", json={}) for _ in range(8)))

    statuses = [answer.status_code for answer in asyncio.run(create_eight_times())]
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len(site.call("GET", "/sessions").json()["items"]) == 1


@pytest.mark.parametrize("path", ["/sessions/", "/nothing", "/sessions/a/b", "/openapi.json", "/docs"])
def test_an_unknown_route_is_a_404_problem(site: Site, path: str) -> None:
    problem_of(site.call("GET", path), 404, "not-found")


def test_a_wrong_method_is_a_405_problem(site: Site) -> None:
    for path, allowed in (
        ("/sessions", "GET, POST"),
        (f"/sessions/{'0' * 32}", "DELETE, GET, PATCH"),
        (f"/sessions/{'0' * 32}/end", "POST"),
    ):
        answer = site.call("PUT", path)
        problem_of(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == allowed


def test_an_api_key_acts_with_its_permissions(site: Site) -> None:
    key, _ = site.api_keys.create(site.team.scope, "backend", [Permission.ADMIN])
    for headers in ({"x-api-key": key}, {"authorization": f"apikey {key}"}):
        answer = site.client.post("/sessions", headers=headers, json={"owner": "ann"})
        assert (answer.status_code, answer.json()["owner"]) == (201, "ann")
    assert len(site.call("GET", "/sessions").json()["items"]) == 2


def test_a_user_of_several_tenants_chooses_by_header_or_query(site: Site) -> None:
    session_id = site.create()["id"]
    here = site.team.scope.label
    tenants = {here: ["read"], "globex": ["read"]}
    token = site.issuer.mint(sub="ann", app_metadata={"tenants": tenants})
    bearer = {"authorization": f"Bearer {token}"}
    assert site.client.get(f"/sessions/{session_id}", headers={**bearer, "x-tenant-id": here}).status_code == 200
    assert site.client.get(f"/sessions/{session_id}?tenant={here}", headers=bearer).status_code == 200
    answer = site.client.get(f"/sessions/{session_id}?tenant=globex", headers=bearer)
    problem_of(answer, 404, "not-found")
    problem_of(site.client.get(f"/sessions/{session_id}", headers=bearer), 403, "no-tenant")
    problem_of(site.client.get("/sessions?tenant=initech", headers=bearer), 403, "no-tenant")


def test_who_is_connected_to_a_session(site: Site, sent: RecordingConnections) -> None:
    session_id = site.create()["id"]
    team = site.team
    world = World(team.realtime, team.scope, sent, [])
    path = f"/sessions/{session_id}/connections"
    assert site.call("GET", path).json() == {"items": [], "next_cursor": None}
    client = world.client("ann")
    world.subscribe(client, f"session:{session_id}")
    items = site.call("GET", path).json()["items"]
    assert [(item["client"], item["user"]) for item in items] == [(client.connection, "ann")]


def test_connections_come_in_pages_whatever_their_number_and_lanes(site: Site, sent: RecordingConnections) -> None:
    object.__setattr__(site.team.settings, "lane_size", 2)
    session_id = site.create(access={"tenant": "read"})["id"]
    here = sorted(site.team.listen(f"session:{session_id}", user).connection for user in ("ann", "bob", "cat", "ann"))
    path, items, cursor = f"/sessions/{session_id}/connections?limit=3", [], ""
    while cursor is not None:
        page = site.call("GET", f"{path}&cursor={cursor}").json()
        items += page["items"]
        cursor = page["next_cursor"]
    assert [item["client"] for item in items] == here
    assert {item["client"].partition("-")[0] == item["user"] for item in items} == {True}
    assert len(site.call("GET", path).json()["items"]) == 3
    cursor = site.call("GET", path).json()["next_cursor"]
    other = site.create()["id"]
    problem_of(site.call("GET", f"/sessions/{other}/connections?cursor={cursor}"), 422, "invalid")
    problem_of(site.call("GET", f"/sessions?cursor={cursor}"), 422, "invalid")


def test_get_costs_one_round_trip_and_three_commands(site: Site, upstash: ThreadedUpstash) -> None:
    path = f"/sessions/{site.create()['id']}"
    with upstash.counting() as cost:
        site.call("GET", path)
    assert (cost.round_trips, cost.commands) == (1, 3)
