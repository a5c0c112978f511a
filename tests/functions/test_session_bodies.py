"""Bodies of `/sessions`: what is taken, and how the rest is refused."""

from typing import Any

import pytest

from tests.functions.session_site import Site, problem_of, site
from tests.sessions.conftest import sent, team

__all__ = ["sent", "site", "team"]


@pytest.mark.parametrize("path", ["/sessions", "/sessions/{id}"])
@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"not json", "application/json", 422, "invalid"),
        (b'{"a":', "application/json", 422, "invalid"),
        (b'{"a":NaN}', "application/json", 422, "invalid"),
        (b'{"a":1e999}', "application/json", 422, "invalid"),
        (b'{"a":"\\ud800"}', "application/json", 422, "invalid"),
        (b'{"a":"\xff"}', "application/json", 422, "invalid"),
        (b"[1]", "application/json", 422, "invalid"),
        (b'"x"', "application/json", 422, "invalid"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "application/json", 422, "invalid"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported-type"),
        (b"<a/>", "text/xml", 415, "unsupported-type"),
        (b'{"a":"' + b"x" * 1_048_576 + b'"}', "application/json", 413, "too-large"),
    ],
)
def test_bodies_that_do_not_fit_get_the_documented_answer(
    site: Site, path: str, content: bytes, media_type: str, status: int, code: str
) -> None:
    method = "POST" if path == "/sessions" else "PATCH"
    session_id = site.create()["id"]
    headers = {"authorization": f"Bearer {site.token()}", "content-type": media_type}
    answer = site.client.request(method, path.format(id=session_id), headers=headers, content=content)
    problem_of(answer, status, code)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"data": []}, "#/data"),
        ({"ttl_seconds": 0}, "#/ttl_seconds"),
        ({"ttl_seconds": "60"}, "#/ttl_seconds"),
        ({"ttl_seconds": 10**9}, "#/ttl_seconds"),
        ({"id": "chosen-by-me"}, "#/id"),
        ({"access": {"tenant": "admin"}}, "#/access/tenant"),
        ({"access": {"users": {"a/b": "own"}}}, "#/access/users/a~1b"),
    ],
)
def test_a_payload_that_breaks_the_schema_is_told_where(site: Site, body: dict[str, Any], pointer: str) -> None:
    document = problem_of(site.call("POST", "/sessions", body), 422, "invalid")
    assert [error["pointer"] for error in document["errors"]] == [pointer]


def test_data_over_the_limit_is_413(site: Site) -> None:
    problem_of(site.call("POST", "/sessions", {"data": {"a": "x" * 65_536}}), 413, "too-large")
    path = f"/sessions/{site.create(data={'a': 'x' * 40_000})['id']}"
    problem_of(site.call("PATCH", path, {"b": "x" * 40_000}), 413, "too-large")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"ttl": 60}, "ttl: is not known here; known are data, ttl_seconds, max_lifetime_seconds, access, owner"),
        ({"access": {"public": True}}, "access.public: is not known here; known are tenant, users"),
        ({"data": "x", "ttl_seconds": 0.5}, "data: must be an object; ttl_seconds: must be an integer"),
        ({"access": "tenant"}, "access: must be an object"),
        ({"access": {"tenant": "all"}}, "access.tenant: must be 'read' or 'write'"),
        (
            {"data": 1, "access": 1, "owner": 1, "ttl_seconds": "1", "max_lifetime_seconds": 0},
            "data: must be an object; ttl_seconds: must be an integer; "
            "max_lifetime_seconds: must be greater than or equal to 1; and 2 more",
        ),
    ],
)
def test_the_detail_says_what_is_wrong_in_the_words_of_json(site: Site, body: dict[str, Any], detail: str) -> None:
    assert problem_of(site.call("POST", "/sessions", body), 422, "invalid")["detail"] == detail


@pytest.mark.parametrize("ttl", [b"3600", b"3600.0", b"36e2"])
def test_a_whole_number_may_be_written_in_any_way(site: Site, ttl: bytes) -> None:
    headers = {"authorization": f"Bearer {site.token()}"}
    answer = site.client.post("/sessions", headers=headers, content=b'{"ttl_seconds":' + ttl + b',"data":{"f":1.0}}')
    assert (answer.status_code, answer.json()["ttl_seconds"]) == (201, 3600)
    assert '"f":1.0' in answer.text


def test_a_refused_patch_is_told_what_does(site: Site) -> None:
    path = f"/sessions/{site.create()['id']}"
    refused = site.call("PATCH", path, {}, content_type="application/json-patch+json")
    problem_of(refused, 415, "unsupported-type")
    assert refused.headers["accept-patch"] == "application/merge-patch+json, application/json"
    assert "accept-patch" not in site.call("POST", "/sessions", {}, content_type="text/xml").headers


@pytest.mark.parametrize("path", ["/sessions/{id}", "/sessions/{id}/access"])
def test_a_patch_without_a_body_is_none(site: Site, path: str) -> None:
    session_id = site.create()["id"]
    problem_of(site.call("PATCH", path.format(id=session_id)), 422, "invalid")
    assert site.call("GET", f"/sessions/{session_id}").json()["version"] == 1
