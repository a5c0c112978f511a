"""Signing keys: rotation, revocation, the legacy secret, the hook; and what can be made to go wrong."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from local.issuer import ProjectSettings, ThreadedIssuer
from local.issuer.accounts import Json
from local.issuer.keys import SigningKeys
from tests.local.issuer.http_caller import VERSIONED, HttpCaller

Calling = Callable[[ThreadedIssuer], HttpCaller]


def verify(issuer: ThreadedIssuer, token: str, algorithms: tuple[str, ...] = ("ES256", "RS256")) -> Any:
    key = jwt.PyJWKClient(f"{issuer.url}/auth/v1/.well-known/jwks.json").get_signing_key_from_jwt(token)
    return jwt.decode(token, key, list(algorithms), audience="authenticated", issuer=f"{issuer.url}/auth/v1")


def test_a_rotated_out_key_stays_trusted_until_it_is_revoked(own_issuer: ThreadedIssuer) -> None:
    before = own_issuer.mint()
    old = own_issuer.keys.current.kid
    assert own_issuer.server.rotate() != old
    after = own_issuer.mint()
    assert jwt.get_unverified_header(after)["kid"] == own_issuer.keys.current.kid
    verify(own_issuer, before)
    verify(own_issuer, after)
    own_issuer.keys.revoke(old)
    verify(own_issuer, after)
    with pytest.raises(jwt.PyJWKClientError):
        verify(own_issuer, before)
    with pytest.raises(ValueError, match="rotate first"):
        own_issuer.keys.revoke(own_issuer.keys.current.kid)


def test_a_project_may_rotate_to_rs256(own_issuer: ThreadedIssuer) -> None:
    own_issuer.keys.rotate("RS256")
    token = own_issuer.mint(app_metadata={"a": 1})
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    assert verify(own_issuer, token)["app_metadata"] == {"a": 1}


def test_a_legacy_project_signs_with_its_secret_and_publishes_no_key(calling: Calling, email: str) -> None:
    secret = "a-legacy-secret-of-forty-characters-or-so"
    with ThreadedIssuer(ProjectSettings(algorithm="HS256", legacy_secret=secret)) as legacy:
        http = calling(legacy)
        assert http.get("/.well-known/jwks.json").json() == {"keys": []}
        legacy.add_user(email)
        for token in (legacy.sign_in(email)["access_token"], legacy.mint()):
            assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
            assert jwt.decode(token, secret, ["HS256"], audience="authenticated")["role"] == "authenticated"
        anon = jwt.encode({"iss": "supabase", "role": "anon", "exp": 4_000_000_000}, secret)
        service = jwt.encode({"iss": "supabase", "role": "service_role", "exp": 4_000_000_000}, secret)
        assert http.get("/settings", apikey=anon).status_code == 200
        assert http.get("/admin/users", apikey=anon, bearer=anon).status_code == 403
        assert http.get("/admin/users", apikey=service, bearer=service).status_code == 200
        legacy.server.rotate()
        verify(legacy, legacy.mint())


def test_a_minted_token_is_wrong_in_exactly_the_way_asked_for(issuer: ThreadedIssuer) -> None:
    def outcome(**wrong: Any) -> type[Exception] | None:
        try:
            verify(issuer, issuer.mint(**wrong))
        except jwt.PyJWTError as error:
            return type(error)
        return None

    assert outcome() is None
    assert outcome(exp=1) is jwt.ExpiredSignatureError
    assert outcome(aud="other") is jwt.InvalidAudienceError
    assert outcome(iss="https://other.test") is jwt.InvalidIssuerError
    assert outcome(omit=["aud"]) is jwt.MissingRequiredClaimError
    assert outcome(header={"kid": "other"}) is jwt.PyJWKClientError
    assert outcome(header={"kid": None}) is not None
    stranger = SigningKeys().current
    named = {"kid": issuer.keys.current.kid}
    assert outcome(key=stranger.private, header=named) is jwt.InvalidSignatureError
    assert outcome(key="x" * 40, algorithm="HS256", header=named) is jwt.InvalidAlgorithmError


def test_the_jwks_can_be_broken_and_its_fetches_counted(own_issuer: ThreadedIssuer, calling: Calling) -> None:
    own_issuer.server.jwks_outage = True
    http = calling(own_issuer)
    assert http.get("/.well-known/jwks.json", apikey="").status_code == 503
    own_issuer.server.jwks_outage = False
    assert http.get("/.well-known/jwks.json", apikey="").status_code == 200
    assert own_issuer.server.jwks_requests == 2


def test_the_rate_limit_can_be_reached(own_issuer: ThreadedIssuer, calling: Calling) -> None:
    own_issuer.server.rate_limited = True
    refused = calling(own_issuer).post("/token?grant_type=password", {}, headers=VERSIONED)
    assert (refused.status_code, refused.json()["code"]) == (429, "over_request_rate_limit")


def test_the_hook_changes_claims_at_every_issue_and_may_refuse(calling: Calling, email: str) -> None:
    seen: list[str] = []

    def hook(event: Json) -> Json:
        seen.append(event["authentication_method"])
        if event["claims"]["email"].startswith("evil"):
            return {"error": {"http_code": 403, "message": "not here"}}
        if event["claims"]["email"].startswith("broken"):
            return {"claims": {"sub": event["user_id"]}}
        return {"claims": {**event["claims"], "tenant_id": "t_123"}}

    with ThreadedIssuer(ProjectSettings(hook=hook)) as hooked:
        http = calling(hooked)
        for prefix in ("", "evil", "broken"):
            hooked.add_user(prefix + email, "password")
        session = hooked.sign_in(email)
        body = {"refresh_token": session["refresh_token"]}
        again = http.post("/token?grant_type=refresh_token", body).json()
        assert verify(hooked, again["access_token"])["tenant_id"] == "t_123"
        assert seen == ["password", "token_refresh"]
        for prefix, status in (("evil", 403), ("broken", 500)):
            sign_in = {"email": prefix + email, "password": "password"}
            assert http.post("/token?grant_type=password", sign_in, headers=VERSIONED).status_code == status
