"""The project's published signing keys, kept so that neither an outage nor a flood of made-up key ids is felt."""

import logging
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from shared.errors import InvalidToken, Unavailable
from shared.observe.log import log

ALGORITHMS: Final = frozenset({"ES256", "RS256"})
# Supabase says not to keep keys longer than ten minutes.
FRESH_S: Final = 600
# How long the last known keys go on when they cannot be fetched.
STALE_S: Final = 1_800
# An unknown key id, or a failure, makes us ask again this much later at the earliest.
PAUSE_S: Final = 10
_FIRST_PAUSE_S: Final = 1
_TIMEOUT_S: Final = 2


class SigningKeys:
    """Keys by their id. Only ES256 and RS256 keys count: others in the set are not ours to use."""

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_S)
        self._now = now
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = -math.inf
        self._asked_at = -math.inf
        self._failed = False

    def find(self, kid: str) -> jwt.PyJWK:
        """Raises InvalidToken for a key that the project does not publish, Unavailable when that is not known."""
        with self._lock:
            now = self._now()
            is_fresh = now < self._fetched_at + FRESH_S
            if not (is_fresh and kid in self._keys) and now >= self._asked_at + self._pause():
                self._refresh(now)
            if now >= self._fetched_at + FRESH_S + STALE_S or (self._failed and kid not in self._keys):
                raise Unavailable("the project's signing keys cannot be fetched", retry_after=1)
            if kid not in self._keys:
                raise InvalidToken("signed by an unknown key")
            return self._keys[kid]

    def _pause(self) -> float:
        return PAUSE_S if self._fetched_at > -math.inf else _FIRST_PAUSE_S

    def _refresh(self, now: float) -> None:
        self._asked_at = now
        try:
            self._keys = _usable(self._client.fetch_data())
        except (jwt.PyJWTError, OSError, ValueError, RecursionError) as error:
            self._failed = True
            log(logging.WARNING, "auth.keys_not_fetched", error=type(error).__name__, message=str(error)[:200])
        else:
            self._fetched_at, self._failed = now, False


def _usable(jwks: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The keys that can verify our tokens; an empty set is what a project without signing keys publishes."""
    listed = jwks.get("keys")
    if not isinstance(listed, list):
        raise ValueError("not a JWK set")
    keys = (_parsed(one) for one in listed)
    return {str(key.key_id): key for key in keys if key is not None}


def _parsed(jwk: Any) -> jwt.PyJWK | None:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(jwk)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if key.algorithm_name in ALGORITHMS and key.key_type in ("EC", "RSA") else None
