"""Subscription tokens: with one a tenant's backend lets one user into one channel, for a time (Centrifugo's claims)."""

import json
import time
from collections.abc import Callable
from typing import Any, Final

import jwt

from shared.auth.grants import MAX_INFO_BYTES, Grant
from shared.auth.subscription_secret import tenant_secrets
from shared.auth.tokens import LEEWAY_S, MAX_TOKEN_BYTES
from shared.errors import InvalidToken, NotAvailable, TokenExpired
from shared.settings import Settings
from shared.tenant.scope import TenantScope

_LATEST: Final = 2**53
_OURS_TO_CHECK: Final[Any] = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}


class SubscriptionTokens:
    """Verifies the subscription tokens of all tenants, each by the tenant's own secret."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._setting = settings.subscription_secret
        self._now = now

    def verify(self, token: str, scope: TenantScope, user: str, channel: str = "") -> Grant:
        """What the token grants the user in the channel (in the token's own when none is named).

        Raises TokenExpired for one that is good but for its age, else InvalidToken; NotAvailable without the setting.
        """
        secrets = tenant_secrets(self._setting, scope.label)
        if not secrets:
            raise NotAvailable("subscription tokens are not set up: SUBSCRIPTION_SECRET is empty")
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise InvalidToken("malformed subscription token")
        claims = _signed(token, secrets)
        if claims.get("sub") != user or not _names(claims.get("channel"), channel):
            raise InvalidToken("the subscription token is for another user or channel")
        return self._granted(claims)

    def _granted(self, claims: dict[str, Any]) -> Grant:
        expires, issued, begins = (_moment(claims, name) for name in ("exp", "iat", "nbf"))
        now = self._now()
        if max(issued, begins) > now + LEEWAY_S:
            raise InvalidToken("the subscription token is not valid yet")
        if expires and expires <= now - LEEWAY_S:
            raise TokenExpired("the subscription token has expired")
        ends = _moment(claims, "expire_at") if "expire_at" in claims else expires
        return Grant(claims["channel"], ends, issued, _info(claims.get("info")))


def _signed(token: str, secrets: list[str]) -> dict[str, Any]:
    """The claims, if one of the secrets signed them."""
    for secret in secrets:
        try:
            return dict(jwt.decode(token, secret, algorithms=["HS256"], options=_OURS_TO_CHECK))
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise InvalidToken("malformed subscription token") from error
    raise InvalidToken("the subscription token is signed with another secret")


def _names(claimed: Any, asked: str) -> bool:
    return isinstance(claimed, str) and bool(claimed) and asked in ("", claimed)


def _moment(claims: dict[str, Any], name: str) -> int:
    found = claims.get(name, 0)
    if type(found) not in (int, float) or not 0 <= found < _LATEST:
        raise InvalidToken(f"{name} of a subscription token is in unix seconds")
    return int(found)


def _info(found: Any) -> str:
    try:
        text = "" if found is None else json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except (ValueError, RecursionError) as error:
        raise InvalidToken("info of a subscription token is JSON in whole characters") from error
    if size > MAX_INFO_BYTES:
        raise InvalidToken(f"info of a subscription token has at most {MAX_INFO_BYTES} bytes")
    return text
