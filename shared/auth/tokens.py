"""Supabase access tokens: nothing in one is believed before every check here has passed."""

import time
from collections.abc import Callable
from typing import Any, Final

import jwt

from shared.errors import InvalidToken, TokenExpired, Unauthorized, Unavailable
from shared.settings import Settings

Claims = dict[str, Any]

_MAX_TOKEN_BYTES: Final = 16_384
_LEEWAY_S: Final = 5
_REQUIRED: Final = ("exp", "iat", "sub", "aud", "iss", "session_id", "role")
_KEY_TYPES: Final = {"ES256": "EC", "RS256": "RSA"}
# Supabase says not to keep keys longer than ten minutes.
_JWKS_LIFE_S: Final = 600
_JWKS_STALE_S: Final = 1_800
_JWKS_TIMEOUT_S: Final = 2


class _SigningKeys:
    """The project's published keys. When they cannot be fetched, those known go on for half an hour."""

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self._client = jwt.PyJWKClient(url, lifespan=_JWKS_LIFE_S, timeout=_JWKS_TIMEOUT_S)
        self._now = now
        self._known: dict[str, tuple[jwt.PyJWK, float]] = {}

    def find(self, kid: str) -> jwt.PyJWK:
        """Raises InvalidToken for an unknown key, Unavailable when no key can be had."""
        try:
            key = self._client.get_signing_key(kid)
        except jwt.PyJWKClientConnectionError as error:
            known, until = self._known.get(kid, (None, 0.0))
            if known is None or self._now() > until:
                raise Unavailable("the project's signing keys cannot be fetched") from error
            return known
        except jwt.PyJWTError as error:
            raise InvalidToken("signed by an unknown key") from error
        self._known[kid] = (key, self._now() + _JWKS_STALE_S)
        return key


class TokenVerifier:
    """Verifies access tokens of one Supabase project."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1"
        self._secret = settings.supabase_jwt_secret
        self._now = now
        self._keys = _SigningKeys(f"{self._issuer}/.well-known/jwks.json", now)

    def verify(self, token: str) -> Claims:
        """The claims of a good token.

        Raises Unauthorized without one, TokenExpired for one that is good but for its age, InvalidToken, and
        Unavailable when the project's keys cannot be had.
        """
        if not token:
            raise Unauthorized("a bearer token is needed")
        if len(token) > _MAX_TOKEN_BYTES:
            raise InvalidToken("too long")
        claims = self._signed(token)
        self._check_time(claims)
        return claims

    def _signed(self, token: str) -> Claims:
        """Signature, shape, audience and issuer; time is checked by us, on our clock."""
        try:
            key, algorithm = self._key(jwt.get_unverified_header(token))
            claims: Claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience="authenticated",
                issuer=self._issuer,
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidToken(_reason(error)) from error
        if claims["role"] != "authenticated":
            raise InvalidToken("not a signed-in user's token")
        if not all(isinstance(claims[name], str) and claims[name] for name in ("sub", "session_id")):
            raise InvalidToken("sub and session_id must be text")
        return claims

    def _key(self, header: dict[str, Any]) -> tuple[Any, str]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm == "HS256" and self._secret:
            return self._secret, "HS256"
        if algorithm not in _KEY_TYPES or not isinstance(kid, str):
            raise InvalidToken("signed in a way this project does not use")
        key = self._keys.find(kid)
        if key.key_type != _KEY_TYPES[algorithm]:
            raise InvalidToken("the algorithm does not fit the key")
        return key, algorithm

    def _check_time(self, claims: Claims) -> None:
        moments = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
        if not all(isinstance(moment, int | float) and not isinstance(moment, bool) for moment in moments):
            raise InvalidToken("times must be numbers")
        now = self._now()
        if max(moments[1:]) > now + _LEEWAY_S:
            raise InvalidToken("not valid yet")
        if claims["exp"] <= now - _LEEWAY_S:
            raise TokenExpired("the token has expired")


def _reason(error: Exception) -> str:
    """What PyJWT says, in words that give nothing away."""
    return "malformed" if isinstance(error, ValueError | TypeError) else str(error)[:100]
