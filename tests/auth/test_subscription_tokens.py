"""Subscription tokens: each tenant's own secret, one user, one channel, for a time."""

import subprocess
import sys
import time
from typing import Any

import jwt
import pytest

from shared.auth.grants import MAX_INFO_BYTES
from shared.auth.subscription_secret import main, tenant_secrets
from shared.auth.subscription_tokens import SubscriptionTokens
from shared.errors import InvalidToken, NotAvailable, TokenExpired
from shared.settings import Settings, settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.subscription import subscription_token

ACME, GLOBEX = TenantScope("acme", SCOPE_SEAL), TenantScope("globex", SCOPE_SEAL)
CHANNEL = "desk:1"


def tokens(setting: str = "s") -> SubscriptionTokens:
    return SubscriptionTokens(Settings(subscription_secret=setting))


def token(setting: str = "s", tenant: str = "acme", ttl_s: float = 600, **claims: Any) -> str:
    return subscription_token(setting, tenant, "ann", CHANNEL, ttl_s, **claims)


def test_a_good_token_grants_its_channel_until_it_expires() -> None:
    end = int(time.time()) + 600
    granted = tokens().verify(token(exp=end, info={"role": "host\n"}), ACME, "ann", CHANNEL)
    assert (granted.channel, granted.expires_at) == (CHANNEL, end)
    assert granted.info == '{"role":"host\\n"}'
    assert granted.issued_at <= time.time()


def test_without_a_channel_asked_for_it_is_the_tokens_own() -> None:
    assert tokens().verify(token(), ACME, "ann").channel == CHANNEL


def test_claims_that_may_be_missing() -> None:
    granted = tokens().verify(token(exp=None, iat=None), ACME, "ann", CHANNEL)
    assert (granted.expires_at, granted.issued_at, granted.info) == (0, 0, "")


@pytest.mark.parametrize("expire_at", [0, 2_000_000_000])
def test_expire_at_is_the_subscriptions_end_apart_from_the_tokens(expire_at: int) -> None:
    assert tokens().verify(token(expire_at=expire_at), ACME, "ann", CHANNEL).expires_at == expire_at


def test_a_token_past_its_time_is_told_apart() -> None:
    with pytest.raises(TokenExpired):
        tokens().verify(token(ttl_s=-10), ACME, "ann", CHANNEL)


def test_time_is_the_verifiers() -> None:
    later = SubscriptionTokens(Settings(subscription_secret="s"), lambda: time.time() + 700)
    with pytest.raises(TokenExpired):
        later.verify(token(), ACME, "ann", CHANNEL)


BAD: dict[str, dict[str, Any]] = {
    "another user": {"sub": "bob"},
    "no user": {"sub": None},
    "another channel": {"channel": "desk:2"},
    "no channel": {"channel": None},
    "a channel that is no text": {"channel": 5},
    "issued in the future": {"iat": 2_000_000_000},
    "not valid yet": {"nbf": 2_000_000_000},
    "no time": {"exp": "soon"},
    "a true time": {"iat": True},
    "a negative end": {"expire_at": -1},
    "info too long": {"info": "x" * MAX_INFO_BYTES},
    "info too long in UTF-8": {"info": "ä" * (MAX_INFO_BYTES // 2)},
    "info with half a character, which no presence could show": {"info": {"name": "\ud83d"}},
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_token_is_refused(why: str) -> None:
    with pytest.raises(InvalidToken):
        tokens().verify(token(**BAD[why]), ACME, "ann", CHANNEL)


@pytest.mark.parametrize("text", ["x", "a.b.c", "ü.b.c", "", token()[:-2], token() + "x" * 20_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        tokens().verify(text, ACME, "ann", CHANNEL)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_only_hs256_is_believed(algorithm: str) -> None:
    secret = "" if algorithm == "none" else tenant_secrets("s", "acme")[0]
    forged = jwt.encode({"sub": "ann", "channel": CHANNEL}, secret, algorithm=algorithm)
    with pytest.raises(InvalidToken):
        tokens().verify(forged, ACME, "ann", CHANNEL)


def test_one_tenants_secret_signs_nothing_in_another() -> None:
    assert tenant_secrets("s", "acme") != tenant_secrets("s", "globex")
    with pytest.raises(InvalidToken):
        tokens().verify(token(), GLOBEX, "ann", CHANNEL)


def test_secrets_rotate_the_first_signs_and_any_verifies() -> None:
    assert tenant_secrets("new, old,", "acme") == tenant_secrets("new", "acme") + tenant_secrets("old", "acme")
    rotating = tokens("new, old")
    assert rotating.verify(token("new"), ACME, "ann", CHANNEL)
    assert rotating.verify(token("old"), ACME, "ann", CHANNEL)
    with pytest.raises(InvalidToken):
        rotating.verify(token("older"), ACME, "ann", CHANNEL)


def test_without_the_setting_there_are_none() -> None:
    with pytest.raises(NotAvailable):
        tokens("").verify(token(), ACME, "ann", CHANNEL)


def test_an_operator_prints_a_tenants_secret() -> None:
    command = [sys.executable, "-m", "shared.auth.subscription_secret", "acme"]
    done = subprocess.run(command, env={"SUBSCRIPTION_SECRET": "s,t"}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == tenant_secrets("s", "acme")


@pytest.mark.parametrize(("setting", "tenant"), [("", "acme"), ("s", "no tenant"), ("s", "")])
def test_an_operator_is_told_why_there_is_none(
    setting: str, tenant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUBSCRIPTION_SECRET", setting)
    settings.cache_clear()
    try:
        with pytest.raises(SystemExit) as ended:
            main([tenant])
    finally:
        settings.cache_clear()
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
