"""Every way in which a token can be bad (facts/upstash-supabase.md §4), against the local issuer's real keys."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.issuer import ThreadedIssuer
from shared.auth.tokens import TokenVerifier
from shared.errors import InvalidToken, TokenExpired, Unauthorized
from shared.settings import Settings
from tests.auth.jwks_server import public_jwk


def verifier(issuer: ThreadedIssuer, **settings: str) -> TokenVerifier:
    return TokenVerifier(Settings(supabase_url=issuer.url, **settings))  # type: ignore[arg-type]


def test_a_good_token_gives_its_claims(issuer: ThreadedIssuer) -> None:
    claims = verifier(issuer).verify(issuer.mint(sub="user-1"))
    assert claims["sub"] == "user-1"


def test_a_signed_in_users_token_is_good(issuer: ThreadedIssuer) -> None:
    issuer.add_user("someone@tokens.test")
    token = issuer.sign_in("someone@tokens.test")["access_token"]
    assert verifier(issuer).verify(token)["email"] == "someone@tokens.test"


NOW = int(time.time())


def _without(name: str) -> Callable[[ThreadedIssuer], str]:
    return lambda issuer: issuer.mint(omit=[name])


BAD: dict[str, Callable[[ThreadedIssuer], str]] = {
    "wrong audience": lambda issuer: issuer.mint(aud="other"),
    "wrong issuer": lambda issuer: issuer.mint(iss="https://evil.example/auth/v1"),
    "not valid yet": lambda issuer: issuer.mint(nbf=NOW + 600),
    "issued in the future": lambda issuer: issuer.mint(iat=NOW + 600),
    "role anon": lambda issuer: issuer.mint(role="anon"),
    "role service_role": lambda issuer: issuer.mint(role="service_role"),
    "empty sub": lambda issuer: issuer.mint(sub=""),
    "sub is a number": lambda issuer: issuer.mint(sub=7),
    "session_id is null": lambda issuer: issuer.mint(session_id=None),
    "exp is text": lambda issuer: issuer.mint(exp="tomorrow"),
    "exp is true": lambda issuer: issuer.mint(exp=True),
    "exp is infinite": lambda issuer: issuer.mint(exp=float("inf")),
    "exp is not a number": lambda issuer: issuer.mint(exp=float("nan")),
    "exp beyond all times": lambda issuer: issuer.mint(exp=10**400),
    "exp before all times": lambda issuer: issuer.mint(exp=-1),
    "audience of others too": lambda issuer: issuer.mint(aud={"authenticated": True}),
    "issuer with a slash more": lambda issuer: issuer.mint(iss=f"{issuer.url}/auth/v1/"),
    "role is a list": lambda issuer: issuer.mint(role=["authenticated"]),
    "sub with a line break": lambda issuer: issuer.mint(sub="a\nb"),
    "sub with a space": lambda issuer: issuer.mint(sub="a b"),
    "sub too long for a channel": lambda issuer: issuer.mint(sub="a" * 76),
    "session_id with a line break": lambda issuer: issuer.mint(session_id="a\nb"),
    "empty session_id": lambda issuer: issuer.mint(session_id=""),
    "kid is a number": lambda issuer: _with_header(issuer, alg="ES256", kid=7),
    "kid is a list": lambda issuer: _with_header(issuer, alg="ES256", kid=["x"]),
    "no alg": lambda issuer: _with_header(issuer),
    "alg is a list": lambda issuer: _with_header(issuer, alg=["ES256"]),
    "alg in small letters": lambda issuer: _with_header(issuer, alg="es256"),
    "an extension it must understand": lambda issuer: issuer.mint(header={"crit": ["exp"]}),
    "detached payload": lambda issuer: _detached(issuer),
    "encrypted": lambda issuer: "a.b.c.d.e",
    "header nested a thousand deep": lambda issuer: _nested(issuer, 0),
    "payload nested a thousand deep": lambda issuer: _nested(issuer, 1),
    "header is a list": lambda issuer: ".".join([_part(["ES256"]), *issuer.mint().split(".")[1:]]),
    "no signature": lambda issuer: issuer.mint().rpartition(".")[0] + ".",
    "another signature": lambda issuer: f"{issuer.mint().rpartition('.')[0]}.{issuer.mint(sub='x').split('.')[2]}",
    "signature of another form": lambda issuer: issuer.mint().rpartition(".")[0] + "." + "MEUCIQ" * 12,
    "its own key in the header": lambda issuer: _self_made(issuer),
    "bearer twice": lambda issuer: f"Bearer {issuer.mint()}",
    "half a character": lambda issuer: "\ud800.a.b",
    **{f"no {name}": _without(name) for name in ("exp", "iat", "sub", "aud", "iss", "session_id", "role")},
    "another key": lambda issuer: issuer.mint(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "another key under the kid": lambda issuer: issuer.mint(
        key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", header={"kid": issuer.keys.current.kid}
    ),
    "unknown kid": lambda issuer: issuer.mint(header={"kid": "unknown"}),
    "no kid": lambda issuer: issuer.mint(header={"kid": None}),
    "ES384": lambda issuer: issuer.mint(
        key=ec.generate_private_key(ec.SECP384R1()), algorithm="ES384", header={"kid": issuer.keys.current.kid}
    ),
    "alg none": lambda issuer: f"{_part({'alg': 'none', 'typ': 'JWT'})}.{issuer.mint().split('.')[1]}.",
    "RS256 in the header, EC kid": lambda issuer: _with_header(issuer, alg="RS256"),
    "HS256 by a guessed secret": lambda issuer: issuer.mint(key="s" * 40, algorithm="HS256"),
    "HS256 with the public key as the secret": lambda issuer: _confused(issuer),
    "tampered payload": lambda issuer: _tampered(issuer),
    "two parts": lambda issuer: "a.b",
    "garbage": lambda issuer: "garbage",
    "not base64": lambda issuer: "ä.ö.ü",
    "array payload": lambda issuer: f"{issuer.mint().split('.')[0]}.{_part([1])}.{issuer.mint().split('.')[2]}",
    "far too long": lambda issuer: issuer.mint(filler="x" * 20_000),
    "legacy anon key": lambda issuer: jwt.encode(
        {"iss": "supabase", "ref": "x", "role": "anon", "iat": NOW, "exp": NOW + 10**8}, "s" * 40, "HS256"
    ),
    "API key": lambda issuer: issuer.anon_key,
}


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _with_header(issuer: ThreadedIssuer, **changed: object) -> str:
    _, payload, signature = issuer.mint().split(".")
    header = {"typ": "JWT", "kid": issuer.keys.current.kid, **changed}
    return f"{_part(header)}.{payload}.{signature}"


def _confused(issuer: ThreadedIssuer) -> str:
    """PyJWT itself refuses to sign so; an attacker does not use PyJWT."""
    public = issuer.keys.current.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = _part({"alg": "HS256", "typ": "JWT", "kid": issuer.keys.current.kid})
    signed = f"{head}.{issuer.mint().split('.')[1]}"
    mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _detached(issuer: ThreadedIssuer) -> str:
    header, _, signature = issuer.mint(header={"b64": False, "crit": ["b64"]}).split(".")
    return f"{header}..{signature}"


def _nested(issuer: ThreadedIssuer, part: int) -> str:
    parts = issuer.mint().split(".")
    parts[part] = base64.urlsafe_b64encode(b"[" * 10_000).rstrip(b"=").decode()
    return ".".join(parts)


def _self_made(issuer: ThreadedIssuer) -> str:
    """Signed by a key of its own, which it brings along and also says where to find."""
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = public_jwk(private, "mine")
    header = {"kid": "mine", "jwk": jwk, "jku": "http://127.0.0.1:9/keys"}
    return issuer.mint(key=private, algorithm="ES256", header=header)


def _tampered(issuer: ThreadedIssuer) -> str:
    header, payload, signature = issuer.mint().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["app_metadata"] = {"tenant_id": "globex", "permissions": ["admin"]}
    return f"{header}.{_part(claims)}.{signature}"


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused(issuer: ThreadedIssuer, kind: str) -> None:
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(BAD[kind](issuer))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("garbage", "malformed: an access token is a JWT, three parts in base64url"),
        ("two parts", "malformed: an access token is a JWT, three parts in base64url"),
        ("API key", "malformed: an access token is a JWT, three parts in base64url"),
        ("far too long", "malformed: an access token is a JWT, three parts in base64url"),
        ("tampered payload", "the signature is wrong"),
        ("wrong audience", "meant for another audience"),
        ("wrong issuer", "issued by another project"),
        ("no exp", "the claim exp is missing"),
        ("alg none", "signed in a way this project does not use"),
    ],
)
def test_what_is_wrong_is_told_in_our_words(issuer: ThreadedIssuer, kind: str, told: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        verifier(issuer).verify(BAD[kind](issuer))
    assert refused.value.detail == told


def test_the_token_of_another_project_is_refused(issuer: ThreadedIssuer) -> None:
    with ThreadedIssuer() as other, pytest.raises(InvalidToken):
        verifier(issuer).verify(other.mint())


def test_what_is_wrong_is_told_without_the_token(issuer: ThreadedIssuer) -> None:
    token = issuer.mint(aud="other")
    with pytest.raises(InvalidToken) as refused:
        verifier(issuer).verify(token)
    assert not any(part in str(refused.value) for part in token.split("."))


def test_an_audience_may_be_a_list(issuer: ThreadedIssuer) -> None:
    assert verifier(issuer).verify(issuer.mint(aud=["authenticated", "others"]))


def test_an_anonymous_user_is_a_signed_in_user(issuer: ThreadedIssuer) -> None:
    assert verifier(issuer).verify(issuer.mint(is_anonymous=True))


def test_a_trailing_slash_of_the_setting_does_not_matter(issuer: ThreadedIssuer) -> None:
    assert TokenVerifier(Settings(supabase_url=f"{issuer.url}/")).verify(issuer.mint())


def test_no_token_is_refused_as_missing(issuer: ThreadedIssuer) -> None:
    with pytest.raises(Unauthorized):
        verifier(issuer).verify("")


def test_an_expired_token_is_told_apart_only_when_it_is_good_otherwise(issuer: ThreadedIssuer) -> None:
    with pytest.raises(TokenExpired):
        verifier(issuer).verify(issuer.mint(exp=NOW - 60, iat=NOW - 600))
    forged = issuer.mint(exp=NOW - 60, key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(forged)


@pytest.mark.parametrize(
    ("change", "is_good"),
    [({"exp": -4}, True), ({"exp": -6}, False), ({"iat": 4}, True), ({"iat": 6}, False), ({"nbf": 6}, False)],
)
def test_clocks_may_differ_by_five_seconds(issuer: ThreadedIssuer, change: dict[str, Any], is_good: bool) -> None:
    now = time.time()
    checks = TokenVerifier(Settings(supabase_url=issuer.url), lambda: now)
    ((name, difference),) = change.items()
    times: dict[str, Any] = {"iat": now - 600, "exp": now + 600, name: now + difference}
    token = issuer.mint(**times)
    if is_good:
        assert checks.verify(token)
    else:
        with pytest.raises(TokenExpired if name == "exp" else InvalidToken):
            checks.verify(token)


@pytest.mark.parametrize("change", [{"aud": "x"}, {"role": "anon"}, {"iss": "x"}, {"sub": ""}, {"iat": NOW + 600}])
def test_an_expired_token_that_is_bad_too_is_a_bad_one(issuer: ThreadedIssuer, change: dict[str, Any]) -> None:
    claims: dict[str, Any] = {"exp": NOW - 60, "iat": NOW - 600, **change}
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(issuer.mint(**claims))


def test_hs256_needs_the_secret_of_a_legacy_project(issuer: ThreadedIssuer) -> None:
    secret = "a-legacy-secret-of-32-characters!"
    token = issuer.mint(key=secret, algorithm="HS256")
    assert verifier(issuer, supabase_jwt_secret=secret).verify(token)
    anon = jwt.encode({"iss": "supabase", "role": "anon", "iat": NOW, "exp": NOW + 10**8}, secret, "HS256")
    with pytest.raises(InvalidToken):
        verifier(issuer, supabase_jwt_secret=secret).verify(anon)
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(token)
