"""`/files` over HTTP with real tokens, a real Redis and an S3 that checks what S3 checks."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from functions.file.routes import router
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.auth.internal import scope_of
from shared.files.arrivals import Arrivals, arrivals_in
from shared.http.app import create_app
from shared.http.idempotency import Idempotency
from shared.http.lambda_handler import lambda_handler
from shared.http.pagination import Cursors
from shared.settings import Settings
from tests.files.conftest import Desk, browser, desk, s3
from tests.functions.http_events import FunctionClient

__all__ = ["browser", "desk", "s3"]
CSV = b"name,age\nAnn,31\nBob,\n"
PROMISE = {"name": "people.csv", "content_type": "text/csv", "size": len(CSV)}


@dataclass
class Site:
    """The file function and its clients; `tenant` and `other` are two tenants."""

    client: FunctionClient
    desk: Desk
    issuer: ThreadedIssuer
    tenant: str
    other: str

    def as_(self, user: str, *permissions: str, tenant: str = "") -> dict[str, str]:
        granted = {"tenant_id": tenant or self.tenant, "permissions": list(permissions or ("read", "write", "execute"))}
        return {"Authorization": f"Bearer {self.issuer.mint(sub=user, app_metadata=granted)}"}

    def create(self, user: str = "ann", **members: Any) -> dict[str, Any]:
        answer = self.client.post("/files", json={**PROMISE, **members}, headers=self.as_(user))
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def send(self, upload: dict[str, Any], content: bytes = CSV) -> httpx.Response:
        return self.desk.http.request(upload["method"], upload["url"], headers=upload["headers"], content=content)

    def stored(self, user: str = "ann", content: bytes = CSV, **members: Any) -> str:
        """A file that was uploaded and parsed."""
        body = self.create(user, size=len(content), **members)
        assert self.send(body["upload"], content).status_code == 200
        file_id: str = body["file"]["id"]
        self.event(f"quarantine/{self.tenant}/{file_id}")
        return file_id

    def event(self, key: str) -> None:
        """S3's event, as the parse function handles it."""
        arrivals = Arrivals(self.desk.filing)
        for tenant, file_id in arrivals_in({"Records": [{"s3": {"object": {"key": key}}}]}):
            arrivals.arrived(scope_of(tenant), file_id)

    def get(self, path: str, user: str = "ann", **headers: str) -> httpx.Response:
        return self.client.get(path, headers={**self.as_(user), **headers})


@pytest.fixture
def site(desk: Desk, upstash: ThreadedUpstash, issuer: ThreadedIssuer) -> Site:
    redis = desk.filing.realtime.redis
    app = create_app(
        "files",
        [router],
        authenticator=Authenticator(Settings(supabase_url=issuer.url)),
        api_keys=ApiKeys(redis),
        filing=desk.filing,
        cursors=Cursors("secret"),
        idempotency=Idempotency(redis),
    )
    client = FunctionClient(lambda_handler(app))
    return Site(client, desk, issuer, desk.scope.label, f"o{secrets.token_hex(6)}")


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_an_uploaded_csv_is_available_and_parsed(site: Site) -> None:
    body = site.create()
    assert body["upload"]["method"] == "PUT"
    assert "content-length" not in {name.lower() for name in body["upload"]["headers"]}
    file_id = body["file"]["id"]
    assert code(site.get(f"/files/{file_id}/parsed")) == (409, "not-ready")
    assert site.send(body["upload"]).status_code == 200
    site.event(f"quarantine/{site.tenant}/{file_id}")
    file = site.get(f"/files/{file_id}").json()
    assert (file["status"], file["parse"]["status"]) == ("available", "ready")
    assert file["parse"]["summary"]["row_count"] == 2
    parsed = site.get(f"/files/{file_id}/parsed")
    assert parsed.headers["content-type"] == "application/json"
    assert parsed.json()["preview"] == [{"name": "Ann", "age": 31}, {"name": "Bob", "age": None}]


def test_creating_says_where_the_file_is(site: Site) -> None:
    answer = site.client.post("/files", json=PROMISE, headers=site.as_("ann"))
    file = answer.json()["file"]
    assert answer.headers["location"] == f"/files/{file['id']}"
    assert answer.headers["etag"] == '"1"'
    assert file["owner"] == "ann"
    assert file["status"] == "pending"
    assert file["parse"] == {"status": "pending"}


def test_the_content_comes_from_s3_itself(site: Site) -> None:
    file_id = site.stored(name="Größe 日本.csv")
    moved = site.get(f"/files/{file_id}/content")
    assert moved.status_code == 307
    fetched = site.desk.http.get(moved.headers["location"])
    assert fetched.content == CSV
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E6%97%A5%E6%9C%AC.csv" in fetched.headers["content-disposition"]
    told = site.get(f"/files/{file_id}/content", Accept="application/json")
    assert told.status_code == 200
    assert site.desk.http.get(told.json()["url"]).content == CSV


@pytest.mark.parametrize(
    "name",
    [
        "é" * 127,
        "naïve \U0001f600 😀.csv",
        "../../etc/passwd",
        "a b+c%20.csv",
        "日本語.csv",
        "Screenshot 9.41\u202fAM.png",
        "👨\u200d👩\u200d👧.csv",
    ],
)
def test_any_unicode_name_comes_back_and_enters_no_key(site: Site, name: str) -> None:
    body = site.create(name=name)
    assert body["file"]["name"] == name
    assert f"/quarantine/{site.tenant}/{body['file']['id']}?" in body["upload"]["url"]
    assert site.get(f"/files/{body['file']['id']}").json()["name"] == name


def test_two_gigabytes_are_too_large(site: Site) -> None:
    answer = site.client.post("/files", json={**PROMISE, "size": 2 << 30}, headers=site.as_("ann"))
    assert code(answer) == (413, "too-large")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "é" * 128},
        {"name": "a\nb"},
        {"name": "a\x00b"},
        {"name": 5},
        {"size": -1},
        {"size": "5"},
        {"size": True},
        {"size": 1.5},
        {"content_type": "text"},
        {"content_type": "text/csv\r\nx: y"},
        {"sha256": "abc"},
        {"session_id": "a/b"},
        {"unknown": 1},
    ],
)
def test_a_promise_that_breaks_the_rules_is_invalid(site: Site, wrong: dict[str, Any]) -> None:
    answer = site.client.post("/files", json={**PROMISE, **wrong}, headers=site.as_("ann"))
    assert code(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == f"#/{next(iter(wrong))}"


def test_a_body_that_is_not_json_is_refused(site: Site) -> None:
    headers = {**site.as_("ann"), "content-type": "application/json"}
    assert code(site.client.post("/files", content=b"{", headers=headers))[0] == 422
    assert code(site.client.post("/files", content=b"a=b", headers={**headers, "content-type": "text/plain"}))[0] == 415


def test_a_declared_checksum_is_checked_by_s3(site: Site) -> None:
    body = site.create(sha256=hashlib.sha256(CSV).hexdigest())
    assert site.send(body["upload"], CSV[::-1]).status_code == 400
    assert site.send(body["upload"]).status_code == 200


def test_the_same_request_makes_one_file(site: Site) -> None:
    headers = {**site.as_("ann"), "Idempotency-Key": secrets.token_hex(8)}
    answers = [site.client.post("/files", json=PROMISE, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(site.get("/files").json()["items"]) == 1
    other = site.client.post("/files", json={**PROMISE, "size": 3}, headers=headers)
    assert code(other) == (422, "idempotency-mismatch")


def test_a_version_that_one_has_is_not_sent_again(site: Site) -> None:
    path = f"/files/{site.stored()}"
    etag = site.get(path).headers["etag"]
    unchanged = site.get(path, **{"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert site.get(path, **{"If-None-Match": '"1"'}).status_code == 200


@pytest.mark.parametrize("path", ["", "/content", "/parsed"])
def test_foreign_files_do_not_exist(site: Site, path: str) -> None:
    file_id = site.stored()
    unknown = site.get(f"/files/{'0' * 32}{path}")
    for headers in (site.as_("bob"), site.as_("bob", "admin", tenant=site.other)):
        answer = site.client.get(f"/files/{file_id}{path}", headers=headers)
        assert code(answer) == (404, "not-found")
        assert {**answer.json(), "instance": ""} == {**unknown.json(), "instance": ""}


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", ""), ("POST", "/parse"), ("POST", "/complete"), ("GET", "/parts")]
)
def test_foreign_files_cannot_be_changed(site: Site, method: str, path: str) -> None:
    file_id = site.stored()
    for headers in (site.as_("bob"), site.as_("bob", "admin", tenant=site.other)):
        assert code(site.client.request(method, f"/files/{file_id}{path}", headers=headers)) == (404, "not-found")
    assert site.get(f"/files/{file_id}").status_code == 200


def test_an_admin_sees_everything_of_his_tenant(site: Site) -> None:
    file_id = site.stored()
    admin = site.as_("root", "admin")
    assert site.client.get(f"/files/{file_id}", headers=admin).status_code == 200
    assert [file["id"] for file in site.client.get("/files", headers=admin).json()["items"]] == [file_id]
    assert site.client.delete(f"/files/{file_id}", headers=admin).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("POST", "/files", "read"),
        ("GET", "/files", "write"),
        ("GET", "/files/x", "write"),
        ("GET", "/files/x/content", "execute"),
        ("GET", "/files/x/parsed", "write"),
        ("POST", "/files/x/parse", "write"),
        ("POST", "/files/x/complete", "read"),
        ("GET", "/files/x/parts", "read"),
        ("GET", "/files/x/parts/1", "read"),
        ("DELETE", "/files/x/parts", "read"),
        ("DELETE", "/files/x", "read"),
    ],
)
def test_each_operation_needs_its_permission(site: Site, method: str, path: str, permission: str) -> None:
    assert code(site.client.request(method, path)) == (401, "unauthorized")
    refused = site.client.request(method, path, headers=site.as_("ann", permission), json={})
    assert code(refused) == (403, "permission-denied")


def test_a_sessions_readers_read_its_files(site: Site) -> None:
    site.desk.readers |= {("ann", "s1"), ("bob", "s1")}
    file_id = site.stored(session_id="s1")
    assert site.get(f"/files/{file_id}", "bob").status_code == 200
    assert site.get(f"/files/{file_id}/parsed", "bob").status_code == 200
    assert [f["id"] for f in site.get("/files?session_id=s1", "bob").json()["items"]] == [file_id]
    for owner, expected in (("ann", [file_id]), ("bob", [])):
        listed = site.get(f"/files?session_id=s1&owner={owner}", "bob").json()["items"]
        assert [f["id"] for f in listed] == expected
    assert code(site.client.delete(f"/files/{file_id}", headers=site.as_("bob"))) == (403, "permission-denied")
    assert code(site.get(f"/files/{file_id}", "eve")) == (404, "not-found")
    assert code(site.get("/files?session_id=s1", "eve")) == (404, "not-found")


def test_a_file_cannot_be_put_into_a_foreign_session(site: Site) -> None:
    answer = site.client.post("/files", json={**PROMISE, "session_id": "s1"}, headers=site.as_("eve"))
    assert code(answer) == (404, "not-found")


def test_lists_go_on_by_cursor_newest_first(site: Site) -> None:
    made = [site.create()["file"]["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = site.get(f"/files?limit=2{cursor}").json()
        seen += [file["id"] for file in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert set(seen) == set(made)
    assert len(seen) == 5
    assert site.get("/files", "bob").json() == {"items": [], "next_cursor": None}


def test_a_cursor_holds_for_its_own_list(site: Site) -> None:
    for _ in range(2):
        site.create()
    cursor = site.get("/files?limit=1").json()["next_cursor"]
    assert code(site.get(f"/files?limit=1&status=pending&cursor={cursor}")) == (422, "invalid")
    stranger = site.as_("ann", tenant=site.other)
    assert code(site.client.get(f"/files?limit=1&cursor={cursor}", headers=stranger)) == (422, "invalid")


def test_lists_can_be_filtered_by_status(site: Site) -> None:
    stored, pending = site.stored(), site.create()["file"]["id"]
    assert [f["id"] for f in site.get("/files?status=available").json()["items"]] == [stored]
    assert [f["id"] for f in site.get("/files?status=pending").json()["items"]] == [pending]
    assert code(site.get("/files?status=none")) == (422, "invalid")
    assert code(site.get("/files?owner=bob")) == (403, "permission-denied")


def test_completing_does_what_the_event_does(site: Site) -> None:
    body = site.create()
    path = f"/files/{body['file']['id']}/complete"
    assert code(site.client.post(path, headers=site.as_("ann"))) == (409, "not-ready")
    site.send(body["upload"])
    first = site.client.post(path, headers=site.as_("ann")).json()
    assert (first["status"], first["location"]) == ("available", f"/files/{body['file']['id']}/content")
    assert site.client.post(path, headers=site.as_("ann")).json() == first


def test_unparsable_content_tells_why(site: Site) -> None:
    file_id = site.stored(content=b'{"a": ', content_type="application/json", name="broken.json")
    answer = site.get(f"/files/{file_id}/parsed")
    assert code(answer) == (422, "unparsable")
    assert answer.json()["detail"].startswith("not valid JSON")
    assert site.get(f"/files/{file_id}").json()["status"] == "available"


def test_unknown_formats_are_available_but_not_parsed(site: Site) -> None:
    file_id = site.stored(content=b"\x7fELF\x02\x01\x01" + bytes(64), content_type="application/pdf", name="a.pdf")
    assert site.get(f"/files/{file_id}").json()["parse"]["status"] == "unsupported"
    assert code(site.get(f"/files/{file_id}/parsed")) == (422, "unparsable")
    assert site.get(f"/files/{file_id}/content").status_code == 307


def test_a_file_can_be_parsed_again(site: Site) -> None:
    file_id = site.stored()
    again = site.client.post(f"/files/{file_id}/parse", headers=site.as_("ann"))
    assert (again.status_code, again.json()["parse"]["status"]) == (202, "pending")
    assert code(site.get(f"/files/{file_id}/parsed")) == (409, "not-ready")
    assert site.desk.filing.bucket.head(f"quarantine/{site.tenant}/{file_id}/again") is not None
    site.event(f"quarantine/{site.tenant}/{file_id}/again")
    assert site.get(f"/files/{file_id}/parsed").json()["row_count"] == 2


def test_a_deleted_file_is_gone_everywhere(site: Site) -> None:
    file_id = site.stored()
    assert site.client.delete(f"/files/{file_id}", headers=site.as_("ann")).status_code == 204
    assert code(site.get(f"/files/{file_id}")) == (404, "not-found")
    assert code(site.client.delete(f"/files/{file_id}", headers=site.as_("ann"))) == (404, "not-found")
    assert site.get("/files").json()["items"] == []
    assert site.desk.filing.bucket.head(f"files/{site.tenant}/{file_id}") is None


def test_a_revoked_token_reads_nothing(site: Site) -> None:
    file_id = site.stored()
    user = site.desk.scope.key("user", "ann")
    site.desk.filing.realtime.redis.call("HSET", user, "revoked_before", 4_000_000_000)
    for path in ("/files", f"/files/{file_id}", f"/files/{file_id}/content", f"/files/{file_id}/parsed"):
        assert code(site.get(path)) == (401, "invalid-token")
    assert code(site.client.post("/files", json=PROMISE, headers=site.as_("ann"))) == (401, "invalid-token")
    assert code(site.client.delete(f"/files/{file_id}", headers=site.as_("ann"))) == (401, "invalid-token")


def test_a_type_is_taken_as_it_will_be_sent(site: Site) -> None:
    file_id = site.stored(content_type="text/csv; charset=utf-8 ")
    file = site.get(f"/files/{file_id}").json()
    assert (file["content_type"], file["status"]) == ("text/csv; charset=utf-8", "available")


def test_a_full_tenant_takes_no_more(site: Site) -> None:
    site.create()
    object.__setattr__(site.desk.filing.realtime.settings, "max_files_per_tenant", 1)
    assert code(site.client.post("/files", json=PROMISE, headers=site.as_("ann"))) == (429, "limit-reached")


def test_getting_a_file_costs_three_commands_and_one_round_trip(site: Site, upstash: ThreadedUpstash) -> None:
    path = f"/files/{site.stored()}"
    site.get(path)
    with upstash.counting() as cost:
        assert site.get(path).status_code == 200
    assert (cost.round_trips, cost.commands) == (1, 3)


def test_events_tell_the_whole_story(site: Site) -> None:
    site.desk.readers.add(("ann", "s1"))
    file_id = site.stored(session_id="s1")
    site.client.delete(f"/files/{file_id}", headers=site.as_("ann"))
    story = ["created", "uploaded", "available", "parsing", "parsed", "deleted"]
    for channel in (f"file:{file_id}", "session:s1"):
        assert site.desk.events(channel) == [f"file.{what}" for what in story]


def test_an_api_key_works_for_the_backend(site: Site) -> None:
    key, _ = ApiKeys(site.desk.filing.realtime.redis).create(site.desk.scope, "backend", [])
    answer = site.client.get("/files", headers={"X-API-Key": key})
    assert code(answer) == (403, "permission-denied")
    assert json.loads(answer.content)["title"]
