"""Outages, rotations and floods at the address of the project's keys; time is the test's."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shared.auth.signing_keys import FRESH_S, PAUSE_S, STALE_S
from shared.auth.tokens import TokenVerifier
from shared.errors import InvalidToken, Unavailable
from shared.settings import InvalidSetting, Settings
from tests.auth.jwks_server import JwksServer, PrivateKey, public_jwk, signed

EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
ED25519_JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "alg": "EdDSA",
    "kid": "ed",
    "use": "sig",
}


@dataclass
class Project:
    """A project whose keys the test publishes, and a verifier on the test's clock."""

    published: JwksServer
    clock: list[float] = field(default_factory=lambda: [1_800_000_000.0])

    def __post_init__(self) -> None:
        self.verifier = TokenVerifier(Settings(supabase_url=self.published.url), lambda: self.clock[0])

    def token(self, key: PrivateKey = EC_KEY, kid: str = "one", algorithm: str = "ES256") -> str:
        now = int(self.clock[0])
        claims = {
            "iss": f"{self.published.url}/auth/v1",
            "sub": str(uuid.uuid4()),
            "aud": "authenticated",
            "role": "authenticated",
            "session_id": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 36_000,
        }
        return signed(claims, key, kid, algorithm)

    def accepts(self, token: str) -> bool:
        return bool(self.verifier.verify(token))

    def refuses(self, token: str) -> bool:
        with pytest.raises(InvalidToken):
            self.verifier.verify(token)
        return True

    def cannot_say(self, token: str) -> bool:
        with pytest.raises(Unavailable):
            self.verifier.verify(token)
        return True


@pytest.fixture
def project() -> Iterator[Project]:
    with JwksServer() as server:
        server.keys = [public_jwk(EC_KEY, "one")]
        yield Project(server)


def test_keys_are_fetched_once_in_ten_minutes(project: Project) -> None:
    token = project.token()
    for _ in range(3):
        assert project.accepts(token)
    assert project.published.asked == 1
    project.clock[0] += FRESH_S
    assert project.accepts(token)
    assert project.published.asked == 2


def test_known_keys_go_on_for_half_an_hour_of_an_outage(project: Project) -> None:
    token = project.token()
    assert project.accepts(token)
    project.published.status = 503
    project.clock[0] += FRESH_S + STALE_S - 1
    assert project.accepts(token)
    project.clock[0] += PAUSE_S
    assert project.cannot_say(token)
    project.published.status = 200
    project.clock[0] += PAUSE_S
    assert project.accepts(token)


def test_an_outage_is_not_waited_for_by_every_request(project: Project) -> None:
    token = project.token()
    assert project.accepts(token)
    project.published.status = 503
    project.clock[0] += FRESH_S
    for _ in range(5):
        assert project.accepts(token)
    assert project.published.asked == 2
    project.clock[0] += PAUSE_S
    assert project.accepts(token)
    assert project.published.asked == 3


def test_a_cold_environment_says_that_it_cannot_say_and_soon_asks_again(project: Project) -> None:
    token = project.token()
    project.published.status = 500
    assert project.cannot_say(token)
    assert project.cannot_say(token)
    assert project.published.asked == 1
    project.published.status = 200
    project.clock[0] += 1
    assert project.accepts(token)


def test_an_unreachable_project_is_unavailable() -> None:
    with JwksServer() as server:
        project = Project(server)
    assert project.cannot_say(project.token())


def test_a_key_unknown_during_an_outage_is_not_called_bad(project: Project) -> None:
    assert project.accepts(project.token())
    project.published.status = 503
    project.clock[0] += PAUSE_S
    assert project.cannot_say(project.token(OTHER_KEY, "two"))


def test_made_up_key_ids_cause_no_storm_of_fetches(project: Project) -> None:
    for i in range(20):
        assert project.refuses(project.token(OTHER_KEY, f"made-up-{i}"))
    assert project.published.asked == 1


def test_a_project_without_signing_keys_is_not_asked_for_each_token(project: Project) -> None:
    project.published.keys = []
    for _ in range(5):
        assert project.refuses(project.token())
    assert project.published.asked == 1


def test_a_new_key_is_found(project: Project) -> None:
    assert project.accepts(project.token())
    project.published.keys.insert(0, public_jwk(OTHER_KEY, "two"))
    project.clock[0] += PAUSE_S
    assert project.accepts(project.token(OTHER_KEY, "two"))
    assert project.accepts(project.token())


def test_a_revoked_key_stays_revoked_when_the_project_then_goes_down(project: Project) -> None:
    token = project.token()
    assert project.accepts(token)
    project.published.keys = [public_jwk(OTHER_KEY, "two")]
    project.clock[0] += FRESH_S
    assert project.refuses(token)
    project.published.status = 503
    project.clock[0] += FRESH_S
    with pytest.raises((InvalidToken, Unavailable)):
        project.verifier.verify(token)


def test_keys_that_are_not_ours_to_use_are_passed_over(project: Project) -> None:
    strangers = [
        ED25519_JWK,
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "alg": "HS256", "kid": "secret"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": "ES256", "kid": "not on the curve"},
        {"kty": "EC", "kid": "empty"},
        {"kty": "unheard of", "kid": "new"},
        public_jwk(OTHER_KEY, "encrypts", use="enc"),
        {**public_jwk(OTHER_KEY, "nameless"), "kid": None},
        "text",
        None,
    ]
    project.published.keys = [*strangers, *project.published.keys]
    assert project.accepts(project.token())
    assert project.refuses(project.token(OTHER_KEY, "encrypts"))
    assert project.refuses(project.token(OTHER_KEY, "nameless"))


def test_rs256_keys_verify_rs256_only(project: Project) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    project.published.keys = [public_jwk(private, "rsa"), public_jwk(EC_KEY, "one")]
    assert project.accepts(project.token(private, "rsa", "RS256"))
    for token in (
        project.token(private, "rsa", "PS256"),
        project.token(private, "rsa", "RS512"),
        project.token(private, "one", "RS256"),
        project.token(EC_KEY, "rsa", "ES256"),
    ):
        assert project.refuses(token)


def test_a_key_on_another_curve_is_not_taken_for_es256(project: Project) -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    project.published.keys = [public_jwk(private, "one", alg="ES384"), public_jwk(private, "two", alg="ES256")]
    assert project.refuses(project.token(private, "one", "ES384"))
    assert project.refuses(project.token(OTHER_KEY, "two"))


NO_KEY_SETS = [b"<html>maintenance</html>", b"", b"[]", b'{"error": "x"}', b'{"keys": {}}', b"\xff", b"[" * 100_000]


@pytest.mark.parametrize("body", NO_KEY_SETS, ids=range(len(NO_KEY_SETS)))
def test_an_answer_that_is_no_key_set_counts_as_an_outage(project: Project, body: bytes) -> None:
    token = project.token()
    assert project.accepts(token)
    project.published.body = body
    project.clock[0] += FRESH_S
    assert project.accepts(token)
    cold = Project(project.published)
    assert cold.cannot_say(token)


def test_an_answer_that_breaks_off_counts_as_an_outage(project: Project) -> None:
    token = project.token()
    project.published.is_broken = True
    assert project.cannot_say(token)


def test_a_redirect_is_not_followed(project: Project) -> None:
    project.published.status = 302
    assert project.cannot_say(project.token())
    assert project.published.asked == 1


@pytest.mark.parametrize("url", ["", "file:///etc", "example.supabase.co"])
def test_an_address_that_cannot_publish_keys_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(InvalidSetting, match="SUPABASE_URL"):
        TokenVerifier(Settings(supabase_url=url))
