"""Whatever arrives as a token or as claims: an identity, or a refusal from the catalogue, and never a crash."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.issuer import ThreadedIssuer
from shared.auth.identify import Authenticator
from shared.auth.identity import Identity
from shared.errors import NoTenant, Unauthorized
from shared.settings import Settings

FUZZED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "zip", "cty"]),
    VALUES | st.sampled_from(["ES256", "RS256", "HS256", "none"]),
)
CLAIMS = st.dictionaries(
    st.sampled_from(["sub", "aud", "iss", "exp", "iat", "nbf", "session_id", "role", "app_metadata", "jti"]),
    VALUES | st.sampled_from([1, 10**12, 1.5, "authenticated", {"tenant_id": "b"}, {"tenants": {"b": ["read"]}}]),
    max_size=3,
)


@pytest.fixture
def authenticator(issuer: ThreadedIssuer) -> Authenticator:
    return Authenticator(Settings(supabase_url=issuer.url, supabase_jwt_secret="s" * 40))


def outcome(authenticator: Authenticator, token: str) -> Identity | None:
    try:
        return authenticator.from_token(token)
    except (Unauthorized, NoTenant):
        return None


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@FUZZED
@given(token=st.text() | st.from_regex(r"[A-Za-z0-9_=+/-]{0,80}(\.[A-Za-z0-9_=+/-]{0,80}){0,4}", fullmatch=True))
def test_any_text_is_refused(authenticator: Authenticator, token: str) -> None:
    assert outcome(authenticator, token) is None


@FUZZED
@given(header=HEADERS, payload=VALUES, signature=st.text(max_size=90))
def test_any_header_and_payload_without_a_signature_are_refused(
    authenticator: Authenticator, header: Any, payload: Any, signature: str
) -> None:
    assert outcome(authenticator, f"{part(header)}.{part(payload)}.{signature}") is None


@FUZZED
@given(changed=CLAIMS)
def test_any_signed_claims_give_a_sound_identity_or_none(
    authenticator: Authenticator, issuer: ThreadedIssuer, changed: dict[str, Any]
) -> None:
    """Not even the project itself can have us take odd claims."""
    sound = {"app_metadata": {"tenant_id": "a", "permissions": ["read"]}}
    claims = {**issuer.server.project.tokens.sample_claims(), **sound, **changed}
    try:
        token = jwt.encode(claims, issuer.keys.current.private, "ES256", headers={"kid": issuer.keys.current.kid})
    except (TypeError, ValueError):
        return
    identity = outcome(authenticator, token)
    if identity is not None:
        assert identity.user == claims["sub"]
        assert identity.user.isprintable()
        assert identity.scope.label in ("a", "b")
