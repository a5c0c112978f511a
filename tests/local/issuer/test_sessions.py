"""Refresh tokens, sign-out, bans and passwords: Supabase's rules, with a clock the test moves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from local.issuer import ProjectSettings, ThreadedIssuer
from local.issuer.accounts import Json
from tests.local.issuer.http_caller import VERSIONED, HttpCaller

Calling = Callable[[ThreadedIssuer], HttpCaller]


class Clock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(own_issuer: ThreadedIssuer) -> Clock:
    clock = Clock()
    own_issuer.server.project.now = clock
    return clock


@pytest.fixture
def http(own_issuer: ThreadedIssuer, calling: Calling) -> HttpCaller:
    return calling(own_issuer)


def refresh(http: HttpCaller, token: str) -> Json:
    answer: Json = http.post("/token?grant_type=refresh_token", {"refresh_token": token}, headers=VERSIONED).json()
    return answer


def test_a_lost_answer_may_be_asked_for_again_and_gets_the_same_successor(
    own_issuer: ThreadedIssuer, clock: Clock, http: HttpCaller, email: str
) -> None:
    own_issuer.add_user(email)
    first = own_issuer.sign_in(email)["refresh_token"]
    second = refresh(http, first)["refresh_token"]
    clock.at += 3600
    assert refresh(http, first)["refresh_token"] == second


def test_a_used_token_works_for_ten_seconds_and_then_kills_the_session(
    own_issuer: ThreadedIssuer, clock: Clock, http: HttpCaller, email: str
) -> None:
    own_issuer.add_user(email)
    first = own_issuer.sign_in(email)["refresh_token"]
    second = refresh(http, first)["refresh_token"]
    third = refresh(http, second)["refresh_token"]
    clock.at += 10
    fourth = refresh(http, first)["refresh_token"]
    assert fourth not in (first, second, third)
    clock.at += 1
    assert refresh(http, second)["code"] == "refresh_token_already_used"
    assert refresh(http, fourth)["code"] == "refresh_token_already_used"
    assert refresh(http, "unknown")["code"] == "refresh_token_not_found"


def test_a_refreshed_token_keeps_its_session_and_has_the_users_newest_claims(
    own_issuer: ThreadedIssuer, clock: Clock, http: HttpCaller, email: str
) -> None:
    own_issuer.add_user(email, app_metadata={"tenant_id": "old"})
    before = own_issuer.sign_in(email)
    own_issuer.add_user(email, app_metadata={"tenant_id": "new"})
    session = own_issuer.sign_in(email)
    clock.at += 100
    after = refresh(http, session["refresh_token"])
    old, new = (own_issuer.keys.verify(s["access_token"], clock.at) for s in (session, after))
    assert new["app_metadata"]["tenant_id"] == "new"
    assert (new["session_id"], new["amr"]) == (old["session_id"], old["amr"])
    assert new["iat"] == old["iat"] + 100
    assert refresh(http, before["refresh_token"])["code"] == "refresh_token_not_found"


@pytest.mark.parametrize(("scope", "this", "other"), [("local", 403, 200), ("others", 200, 403), ("global", 403, 403)])
def test_signing_out_ends_the_sessions_in_its_scope(
    own_issuer: ThreadedIssuer, http: HttpCaller, email: str, scope: str, this: int, other: int
) -> None:
    own_issuer.add_user(email)
    here, there = (own_issuer.sign_in(email)["access_token"] for _ in range(2))
    assert http.post(f"/logout?scope={scope}", bearer=here).status_code == 204
    assert http.get("/user", bearer=here).status_code == this
    assert http.get("/user", bearer=there).status_code == other


def test_an_expired_token_is_refused_and_a_ban_ends_by_itself(
    own_issuer: ThreadedIssuer, clock: Clock, http: HttpCaller, email: str
) -> None:
    user = own_issuer.add_user(email)
    session = own_issuer.sign_in(email)
    ban = {"ban_duration": "1h30m"}
    http.send("PUT", f"/admin/users/{user['id']}", ban, apikey=own_issuer.service_key)
    assert http.get("/user", bearer=session["access_token"], headers=VERSIONED).json()["code"] == "user_banned"
    assert refresh(http, session["refresh_token"])["code"] == "user_banned"
    clock.at += 5400
    assert http.get("/user", bearer=session["access_token"], headers=VERSIONED).json()["code"] == "bad_jwt"
    assert http.get("/user", bearer=refresh(http, session["refresh_token"])["access_token"]).status_code == 200


def test_a_new_password_ends_the_users_other_sessions(own_issuer: ThreadedIssuer, http: HttpCaller, email: str) -> None:
    own_issuer.add_user(email, "password")
    here, there = (own_issuer.sign_in(email)["access_token"] for _ in range(2))
    changed = http.send("PUT", "/user", {"password": "new password", "data": {"a": 1}}, bearer=here)
    assert changed.json()["user_metadata"]["a"] == 1
    assert http.get("/user", bearer=here).status_code == 200
    assert http.get("/user", bearer=there).status_code == 403
    for password, status in (("password", 400), ("new password", 200)):
        body = {"email": email, "password": password}
        assert http.post("/token?grant_type=password", body).status_code == status


def test_a_link_signs_its_user_in_once(own_issuer: ThreadedIssuer, clock: Clock, http: HttpCaller, email: str) -> None:
    own_issuer.add_user(email)

    def link() -> Json:
        body = {"type": "magiclink", "email": email}
        answer: Json = http.post("/admin/generate_link", body, apikey=own_issuer.service_key).json()
        return answer

    by_hash = {"type": "magiclink", "token_hash": link()["hashed_token"]}
    assert http.post("/verify", by_hash).json()["user"]["email"] == email
    assert http.post("/verify", by_hash).status_code == 403
    digits = link()["email_otp"]
    by_digits = {"type": "email", "email": email, "token": digits}
    wrong = f"{(int(digits) + 1) % 10**6:06}"
    assert http.post("/verify", by_digits | {"token": wrong}).status_code == 403
    assert http.post("/verify", by_digits).status_code == 200
    late = {"type": "magiclink", "token_hash": link()["hashed_token"]}
    clock.at += 3600
    assert http.post("/verify", late).status_code == 403
    unknown = {"type": "magiclink", "email": "x" + email}
    assert http.post("/admin/generate_link", unknown, apikey=own_issuer.service_key).status_code == 404


def test_projects_may_confirm_addresses_admit_guests_or_close_their_doors(calling: Calling, email: str) -> None:
    body = {"email": email, "password": "password"}
    with ThreadedIssuer(ProjectSettings(autoconfirm=False, anonymous_users=True)) as careful:
        http = calling(careful)
        assert "access_token" not in http.post("/signup", body).json()
        unconfirmed = http.post("/token?grant_type=password", body, headers=VERSIONED)
        assert unconfirmed.json()["code"] == "email_not_confirmed"
        guest = http.post("/signup", {"data": {"nick": "g"}}).json()
        claims = careful.keys.verify(guest["access_token"], 0)
        assert (claims["is_anonymous"], claims["role"]) == (True, "authenticated")
        assert claims["amr"][0]["method"] == "anonymous"
    with ThreadedIssuer(ProjectSettings(disable_signup=True)) as closed:
        assert calling(closed).post("/signup", body, headers=VERSIONED).json()["code"] == "signup_disabled"


def test_everything_survives_a_restart_with_a_state_file(tmp_path: Path, calling: Calling, email: str) -> None:
    state = tmp_path / "auth" / "state.json"
    with ThreadedIssuer(state_path=state) as first:
        first.add_user(email, "password", {"tenant_id": "acme"})
        session = first.sign_in(email)
        first.server.rotate()
    assert state.stat().st_mode & 0o077 == 0
    (account,) = json.loads(state.read_text())["accounts"]
    assert account["password_hash"].startswith("scrypt$")
    with ThreadedIssuer(state_path=state) as second:
        http = calling(second)
        assert second.anon_key == first.anon_key
        assert http.get("/user", bearer=session["access_token"]).json()["email"] == email
        assert refresh(http, session["refresh_token"])["user"]["app_metadata"]["tenant_id"] == "acme"
        assert second.keys.jwks() == first.keys.jwks()
