"""The issuer's HTTP face as Supabase's platform answers: API keys, error shapes, CORS, odd bodies."""

from typing import Any

import pytest

from local.issuer import ThreadedIssuer
from tests.local.issuer.http_caller import VERSIONED, HttpCaller


def test_an_error_has_the_shape_its_callers_version_reads(http: HttpCaller) -> None:
    body = {"email": "nobody@acme.test", "password": "guess"}
    old = http.post("/token?grant_type=password", body)
    new = http.post("/token?grant_type=password", body, headers=VERSIONED)
    assert old.status_code == new.status_code == 400
    assert old.json() == {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
    assert new.json() == {"code": "invalid_credentials", "message": "Invalid login credentials"}
    assert new.headers["x-sb-error-code"] == old.headers["x-sb-error-code"] == "invalid_credentials"
    assert new.headers["X-Supabase-Api-Version"] == "2024-01-01"


def test_the_platform_wants_a_good_api_key_before_anything_else(http: HttpCaller, issuer: ThreadedIssuer) -> None:
    assert http.get("/settings", apikey="").json()["message"] == "No API key found in request"
    assert http.get("/settings", apikey="sb_publishable_other").status_code == 401
    assert http.get("/settings", apikey=issuer.mint(role="anon", omit=["sub", "aud"])).status_code == 200
    assert http.get("/settings", apikey=issuer.mint()).status_code == 401
    assert http.get("/settings", bearer="sb_secret_other").status_code == 401
    assert http.send("GET", "/settings", apikey="", raw={b"apikey": b"\xff\xfe"}).status_code == 401
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    assert http.get("/settings", headers=browser).status_code == 200
    assert http.get("/settings", apikey=issuer.service_key, headers=browser).status_code == 401


def test_keys_and_health_are_public(http: HttpCaller) -> None:
    jwks = http.get("/.well-known/jwks.json", apikey="")
    assert jwks.headers["Cache-Control"] == "public, max-age=600"
    (key,) = jwks.json()["keys"]
    assert set(key) == {"alg", "crv", "ext", "key_ops", "kid", "kty", "use", "x", "y"}
    assert http.get("/health", apikey="").json()["name"] == "GoTrue"


def test_a_browser_may_call_from_any_page(http: HttpCaller) -> None:
    asked = {
        "Origin": "http://localhost:5173",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "apikey,authorization,x-client-info,x-supabase-api-version",
    }
    preflight = http.send("OPTIONS", "/token", apikey="", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight.headers["Access-Control-Allow-Headers"] == asked["Access-Control-Request-Headers"]
    refused = http.get("/user", headers={"Origin": "http://localhost:5173"})
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("bearer", "status", "code"),
    [("", 401, "no_authorization"), ("garbage", 403, "bad_jwt"), ("a.b.c", 403, "bad_jwt")],
)
def test_user_wants_a_users_token(http: HttpCaller, bearer: str, status: int, code: str) -> None:
    answer = http.get("/user", bearer=bearer, headers=VERSIONED)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_user_refuses_tokens_of_nobody_of_strangers_and_of_the_past(
    http: HttpCaller, issuer: ThreadedIssuer, email: str
) -> None:
    def code(token: str) -> str:
        answer = http.get("/user", bearer=token, headers=VERSIONED)
        assert answer.status_code == 403
        return str(answer.json()["code"])

    user = issuer.add_user(email)
    assert code(issuer.mint()) == "user_not_found"
    assert code(issuer.mint(sub=user["id"])) == "session_not_found"
    assert code(issuer.mint(exp=1)) == "bad_jwt"
    assert code(issuer.mint(omit=["sub"])) == "bad_jwt"
    assert code(issuer.anon_key) == "bad_jwt"
    assert code(issuer.mint(header={"kid": "unknown"})) == "bad_jwt"
    assert code(issuer.mint(algorithm="none", key="")) == "bad_jwt"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "no address", "password": "long enough"}, 400, "validation_failed"),
        ({"email": ["x@y.test"], "password": "long enough"}, 400, "validation_failed"),
        ({"email": "x@y.test"}, 400, "validation_failed"),
        ({"email": "x@y.test", "password": 123456}, 400, "validation_failed"),
        ({"email": "x@y.test", "password": "p" * 73}, 400, "validation_failed"),
        ({"email": "x@y.test", "password": "long enough", "data": "text"}, 400, "validation_failed"),
        ({"email": "x@y.test", "password": "12345"}, 422, "weak_password"),
        ({"phone": "+4912345", "password": "long enough"}, 422, "phone_provider_disabled"),
        ({}, 422, "anonymous_provider_disabled"),
        ([], 400, "bad_json"),
    ],
)
def test_a_bad_sign_up_is_refused(http: HttpCaller, body: object, status: int, code: str) -> None:
    answer = http.post("/signup", body, headers=VERSIONED)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_grants_and_scopes_that_do_not_exist_are_refused(http: HttpCaller, issuer: ThreadedIssuer, email: str) -> None:
    issuer.add_user(email)
    token = issuer.sign_in(email)["access_token"]
    assert http.post("/token?grant_type=pkce", {}).status_code == 400
    assert http.post("/token", {}).status_code == 400
    assert http.post("/token?grant_type=refresh_token", {}).status_code == 400
    assert http.post("/logout?scope=planet", bearer=token).status_code == 400
    assert http.get("/nothing/here").status_code == 404
    assert http.send("DELETE", "/user").status_code == 405


def test_administration_needs_an_administrators_key_or_role(
    http: HttpCaller, issuer: ThreadedIssuer, email: str
) -> None:
    def code(**rest: str) -> object:
        answer = http.get("/admin/users?page=&per_page=", headers=VERSIONED, **rest)
        return answer.json().get("code", answer.status_code)

    issuer.add_user(email)
    assert code() == "not_admin"
    assert code(bearer=issuer.sign_in(email)["access_token"], apikey=issuer.service_key) == "not_admin"
    assert code(apikey=issuer.service_key) == 200
    assert code(apikey=issuer.service_key, bearer=issuer.service_key) == 200
    assert code(bearer=issuer.mint(role="service_role")) == 200


def test_users_are_listed_in_pages(http: HttpCaller, own_issuer: ThreadedIssuer, email: str) -> None:
    for number in range(5):
        own_issuer.add_user(f"{number}{email}")
    caller = HttpCaller(own_issuer)
    answer = caller.get("/admin/users?page=2&per_page=2", apikey=own_issuer.service_key)
    assert len(answer.json()["users"]) == 2
    assert answer.headers["X-Total-Count"] == "5"
    assert answer.headers["Link"] == (
        '</auth/v1/admin/users?page=3&per_page=2>; rel="next", </auth/v1/admin/users?page=3&per_page=2>; rel="last"'
    )
    assert caller.get("/admin/users?page=x", apikey=own_issuer.service_key).status_code == 400
    caller.close()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"password": "long enough"}, 400, "validation_failed"),
        ({"email": "a@b.test", "id": "no uuid"}, 400, "validation_failed"),
        ({"email": "a@b.test", "ban_duration": "soon"}, 400, "validation_failed"),
        ({"email": "a@b.test", "app_metadata": []}, 400, "validation_failed"),
        ({"email": "a@b.test", "password": "short"}, 422, "weak_password"),
    ],
)
def test_a_bad_user_is_not_created(
    http: HttpCaller, issuer: ThreadedIssuer, body: object, status: int, code: str
) -> None:
    answer = http.post("/admin/users", body, apikey=issuer.service_key, headers=VERSIONED)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_address_belongs_to_one_user(http: HttpCaller, issuer: ThreadedIssuer, email: str) -> None:
    other = issuer.add_user("x" + email)
    issuer.add_user(email)
    body = {"email": email.upper()}
    as_admin: dict[str, Any] = {"apikey": issuer.service_key, "headers": VERSIONED}
    assert http.post("/admin/users", body, **as_admin).json()["code"] == "email_exists"
    assert http.send("PUT", f"/admin/users/{other['id']}", body, **as_admin).json()["code"] == "email_exists"
    assert http.get("/admin/users/7", **as_admin).status_code == 404


def test_there_is_a_rest_path_without_tables(http: HttpCaller, issuer: ThreadedIssuer) -> None:
    assert http.get(f"{issuer.url}/rest/v1/").status_code == 200
    assert http.get(f"{issuer.url}/rest/v1/todos").json()["code"] == "PGRST205"
