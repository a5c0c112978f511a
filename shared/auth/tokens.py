"""Supabase access tokens: nothing in one is believed before every check here has passed."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from shared.auth.signing_keys import ALGORITHMS, SigningKeys
from shared.errors import InvalidToken, TokenExpired, Unauthorized
from shared.settings import InvalidSetting, Settings

Claims = dict[str, Any]

MAX_TOKEN_BYTES: Final = 16_384
LEEWAY_S: Final = 5
_REQUIRED: Final = ("exp", "iat", "sub", "aud", "iss", "session_id", "role")
# They name a user's channel, keys and fields of records.
_ID: Final = re.compile(r"[\x21-\x7e]{1,75}")
_LATEST: Final = 2**53
_MALFORMED: Final = "malformed: an access token is a JWT, three parts in base64url"
_WRONG: Final[Mapping[type[jwt.PyJWTError], str]] = {
    jwt.InvalidSignatureError: "the signature is wrong",
    jwt.InvalidAudienceError: "meant for another audience",
    jwt.InvalidIssuerError: "issued by another project",
}


class TokenVerifier:
    """Verifies access tokens of one Supabase project."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1"
        self._secret = settings.supabase_jwt_secret
        self._now = now
        self._keys = _signing_keys(self._issuer, now)

    def verify(self, token: str) -> Claims:
        """The claims of a good token.

        Raises Unauthorized without one, TokenExpired for one that is good but for its age, InvalidToken, and
        Unavailable when the project's keys cannot be had.
        """
        if not token:
            raise Unauthorized("send an access token")
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise InvalidToken(_MALFORMED)
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
        except jwt.PyJWTError as error:
            raise InvalidToken(_what_is_wrong(error)) from error
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidToken(_MALFORMED) from error
        if claims["role"] != "authenticated":
            raise InvalidToken("not a signed-in user's token")
        if not all(isinstance(claims[name], str) and _ID.fullmatch(claims[name]) for name in ("sub", "session_id")):
            raise InvalidToken("sub and session_id must be ids")
        return claims

    def _key(self, header: dict[str, Any]) -> tuple[Any, str]:
        """The key and the one algorithm that goes with it; what the header says of either is only a question."""
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm == "HS256" and self._secret:
            return self._secret, "HS256"
        if algorithm not in ALGORITHMS or not isinstance(kid, str):
            raise InvalidToken("signed in a way this project does not use")
        key = self._keys.find(kid)
        if key.algorithm_name != algorithm:
            raise InvalidToken("the algorithm does not fit the key")
        return key, algorithm

    def _check_time(self, claims: Claims) -> None:
        moments = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
        if not all(type(moment) in (int, float) and 0 <= moment < _LATEST for moment in moments):
            raise InvalidToken("times must be unix seconds")
        now = self._now()
        if max(moments[1:]) > now + LEEWAY_S:
            raise InvalidToken("not valid yet")
        if claims["exp"] <= now - LEEWAY_S:
            raise TokenExpired("the token has expired")


def _what_is_wrong(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the claim {error.claim} is missing"
    return _WRONG.get(type(error), _MALFORMED)


def _signing_keys(issuer: str, now: Callable[[], float]) -> SigningKeys:
    try:
        return SigningKeys(f"{issuer}/.well-known/jwks.json", now)
    except jwt.PyJWTError as error:
        raise InvalidSetting("SUPABASE_URL must be the project's http(s) address") from error
