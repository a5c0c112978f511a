"""Access tokens with a life of the test's choosing, signed by the key of a running stack's issuer."""

import json
import time
from typing import Any

import jwt

from local.issuer.keys import SigningKeys
from tests.support.stack import Stack


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, without asking whether that is true."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def with_life(stack: Stack, token: str, seconds: float, permissions: list[str] | None = None) -> str:
    """The same user's token, good for so many seconds from now; negative ones make it an expired token."""
    claims = claims_of(token)
    if permissions is not None:
        claims["app_metadata"] = {**claims["app_metadata"], "permissions": permissions}
    keys = SigningKeys.load(json.loads((stack.data / "issuer.json").read_text())["keys"])
    now = time.time()
    return keys.sign({**claims, "iat": int(min(now, now + seconds - 60)), "exp": int(now + seconds)})
