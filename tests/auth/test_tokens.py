"""Every way in which a token can be bad (facts/upstash-supabase.md §4), against the local issuer's real keys."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.issuer import ThreadedIssuer
from shared.auth.tokens import TokenVerifier
from shared.errors import InvalidToken, TokenExpired, Unauthorized, Unavailable
from shared.settings import Settings


@pytest.fixture
def own_issuer() -> Iterator[ThreadedIssuer]:
    with ThreadedIssuer() as issuer:
        yield issuer


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


def _with_header(issuer: ThreadedIssuer, **changed: str) -> str:
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


def _tampered(issuer: ThreadedIssuer) -> str:
    header, payload, signature = issuer.mint().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["app_metadata"] = {"tenant_id": "globex", "permissions": ["admin"]}
    return f"{header}.{_part(claims)}.{signature}"


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused(issuer: ThreadedIssuer, kind: str) -> None:
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(BAD[kind](issuer))


def test_no_token_is_refused_as_missing(issuer: ThreadedIssuer) -> None:
    with pytest.raises(Unauthorized):
        verifier(issuer).verify("")


def test_an_expired_token_is_told_apart_only_when_it_is_good_otherwise(issuer: ThreadedIssuer) -> None:
    with pytest.raises(TokenExpired):
        verifier(issuer).verify(issuer.mint(exp=NOW - 60, iat=NOW - 600))
    forged = issuer.mint(exp=NOW - 60, key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(forged)


def test_a_small_difference_of_clocks_is_forgiven(issuer: ThreadedIssuer) -> None:
    assert verifier(issuer).verify(issuer.mint(iat=int(time.time()) + 2, exp=int(time.time()) + 60))


def test_hs256_needs_the_secret_of_a_legacy_project(issuer: ThreadedIssuer) -> None:
    secret = "a-legacy-secret-of-32-characters!"
    token = issuer.mint(key=secret, algorithm="HS256")
    assert verifier(issuer, supabase_jwt_secret=secret).verify(token)
    anon = jwt.encode({"iss": "supabase", "role": "anon", "iat": NOW, "exp": NOW + 10**8}, secret, "HS256")
    with pytest.raises(InvalidToken):
        verifier(issuer, supabase_jwt_secret=secret).verify(anon)
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(token)


def test_a_rotated_key_goes_on_and_a_new_one_is_found(own_issuer: ThreadedIssuer) -> None:
    before = own_issuer.mint()
    own_issuer.keys.rotate()
    checks = verifier(own_issuer)
    assert checks.verify(before)
    assert checks.verify(own_issuer.mint())


def test_known_keys_go_on_while_the_project_cannot_be_reached() -> None:
    clock = [time.time()]
    with ThreadedIssuer() as issuer:
        checks = TokenVerifier(Settings(supabase_url=issuer.url), lambda: clock[0])
        token = issuer.mint(exp=int(clock[0]) + 7200)
        checks.verify(token)
    cache = checks._keys._client.jwk_set_cache
    assert cache is not None
    cache.jwk_set_with_timestamp = None
    assert checks.verify(token)
    clock[0] += 1_801
    with pytest.raises(Unavailable):
        checks.verify(token)


def test_without_any_known_key_an_unreachable_project_is_unavailable() -> None:
    with ThreadedIssuer() as issuer:
        token = issuer.mint()
        checks = verifier(issuer)
    with pytest.raises(Unavailable):
        checks.verify(token)


def test_an_unknown_kid_does_not_cause_a_storm_of_fetches(
    own_issuer: ThreadedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = verifier(own_issuer)
    fetches: list[int] = []
    client = checks._keys._client
    fetch = client.fetch_data

    def counted() -> object:
        fetches.append(1)
        return fetch()

    monkeypatch.setattr(client, "fetch_data", counted)
    for i in range(5):
        with pytest.raises(InvalidToken):
            checks.verify(own_issuer.mint(header={"kid": f"unknown-{i}"}))
    assert len(fetches) == 1
