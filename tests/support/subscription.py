"""Subscription tokens as a tenant's backend signs them."""

import time
from typing import Any

import jwt

from shared.auth.subscription_secret import tenant_secrets


def subscription_token(setting: str, tenant: str, user: str, channel: str, ttl_s: float = 600, /, **claims: Any) -> str:
    """Good for so many seconds from now; a claim given as None is left out."""
    now = int(time.time())
    said = {"sub": user, "channel": channel, "iat": now - 60, "exp": int(now + ttl_s), **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, tenant_secrets(setting, tenant)[0], algorithm="HS256")
