"""Passwords: what is too weak, and scrypt hashes of the rest."""

import base64
import hashlib
import hmac
import secrets

from local.issuer.errors import AuthError, invalid

MIN_LENGTH = 6
MAX_BYTES = 72
_COST, _BLOCK, _PARALLEL = 4096, 8, 1


def check_strength(password: object) -> str:
    """The password itself; `AuthError` 422 when too short, 400 when it is no string or too long."""
    if not isinstance(password, str):
        raise invalid("password must be a string")
    if len(password.encode()) > MAX_BYTES:
        raise invalid(f"Password cannot be longer than {MAX_BYTES} characters")
    if len(password) < MIN_LENGTH:
        message = f"Password should be at least {MIN_LENGTH} characters."
        raise AuthError(422, "weak_password", message, weak_password={"reasons": ["length"]})
    return password


def hash_password(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"scrypt${_text(salt)}${_text(_scrypt(password, salt))}"


def matches(password: str, hashed: str) -> bool:
    """False also for an account without a password."""
    scheme, _, rest = hashed.partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != "scrypt":
        return False
    return hmac.compare_digest(_scrypt(password, base64.b64decode(salt)), base64.b64decode(digest))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
