"""API keys of backends: `tck_<tenant>_<secret>`, kept as a hash in the tenant's own key space."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.auth.identify import permissions_from
from shared.auth.identity import Identity, Permission
from shared.errors import InvalidApiKey
from shared.state.client import Redis
from shared.tenant.scope import SCOPE_SEAL, TenantScope, is_tenant_id

_PREFIX: Final = "tck_"


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key: never the key itself. `created_at` in unix seconds."""

    id: str
    name: str
    permissions: list[str]
    created_at: int


class ApiKeys:
    """Makes, lists, revokes and recognises keys."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = now

    def create(self, scope: TenantScope, name: str, permissions: Iterable[Permission]) -> tuple[str, ApiKey]:
        """The key, shown this once, and its record."""
        # The secret must not hold the underscore at which it is split off.
        key = f"{_PREFIX}{scope.label}_{secrets.token_hex(24)}"
        record = ApiKey(secrets.token_hex(8), name, sorted(permissions), int(self._now()))
        self._redis.call("HSET", scope.key("keys"), _hashed(key), json.dumps(vars(record)))
        return key, record

    def list(self, scope: TenantScope) -> list[ApiKey]:
        return [ApiKey(**json.loads(record)) for record in self._redis.call("HVALS", scope.key("keys"))]

    def revoke(self, scope: TenantScope, key_id: str) -> bool:
        """False when the tenant has no such key."""
        flat = self._redis.call("HGETALL", scope.key("keys"))
        held = dict(zip(flat[::2], flat[1::2], strict=True))
        named = [digest for digest, record in held.items() if json.loads(record)["id"] == key_id]
        return bool(named) and bool(self._redis.call("HDEL", scope.key("keys"), *named, idempotent=True))

    def identify(self, key: str) -> Identity:
        """The backend behind a key. Raises InvalidApiKey, for an unknown tenant just as for an unknown key."""
        tenant, underscore, secret = key.removeprefix(_PREFIX).rpartition("_")
        if not key.startswith(_PREFIX) or not underscore or not secret or not is_tenant_id(tenant):
            raise InvalidApiKey()
        scope = TenantScope(tenant, SCOPE_SEAL)
        # Found by the hash of 192 random bits: timing tells nothing about a key.
        held = self._redis.call("HGET", scope.key("keys"), _hashed(key), idempotent=True)
        if held is None:
            raise InvalidApiKey()
        return _identity(scope, json.loads(held))


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _identity(scope: TenantScope, record: dict[str, Any]) -> Identity:
    return Identity(
        scope=scope,
        user=f"key:{record['id']}",
        permissions=permissions_from(record["permissions"]),
        session="",
        issued_at=record["created_at"],
        expires_at=0,
        source="api_key",
    )
