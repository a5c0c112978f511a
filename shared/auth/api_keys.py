"""API keys of backends: `tck_<tenant>_<secret>`, kept as a hash in the tenant's own key space.

`UPSTASH_REDIS_REST_URL=… UPSTASH_REDIS_REST_TOKEN=… python -m shared.auth.api_keys acme read write` makes one for the
backend of acme; without permissions it is admin.
"""

import argparse
import hashlib
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec

from shared.auth.identify import permissions_from
from shared.auth.identity import Identity, Permission
from shared.errors import InvalidApiKey, LimitReached, TrafficCopError
from shared.settings import settings
from shared.state.client import Argument, Redis
from shared.state.scripts import script
from shared.tenant.scope import SCOPE_SEAL, TenantScope, is_tenant_id

MAX_KEYS: Final = 100
_SECRET_BYTES: Final = 24
# A tenant's id may hold underscores, the secret none: it begins after the last one.
_KEY: Final = re.compile(rf"tck_([A-Za-z0-9_-]{{1,64}})_[0-9a-f]{{{_SECRET_BYTES * 2}}}")
_CREATE: Final = script(__file__, "create_api_key")


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key: never the key itself. `created_at` in unix seconds."""

    id: str
    name: str
    permissions: list[str]
    created_at: int
    created_by: str = ""


class ApiKeys:
    """Makes, lists, revokes and recognises keys. They live until they are revoked or their tenant is purged."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = now

    def create(
        self, scope: TenantScope, name: str, permissions: Iterable[Permission], created_by: str = ""
    ) -> tuple[str, ApiKey]:
        """The key, shown this once, and its record; raises LimitReached above 100 keys."""
        key = f"tck_{scope.label}_{secrets.token_hex(_SECRET_BYTES)}"
        record = ApiKey(secrets.token_hex(8), name, sorted(set(permissions)), int(self._now()), created_by)
        args: dict[str, Argument] = {
            "digest": _hashed(key),
            "record": json.dumps(asdict(record)),
            "most": MAX_KEYS,
        }
        if not self._redis.run(_CREATE, {"keys": scope.key("keys")}, args, idempotent=True):
            raise LimitReached(f"a tenant has at most {MAX_KEYS} API keys")
        return key, record

    def list(self, scope: TenantScope) -> list[ApiKey]:
        """All keys of the tenant, oldest first."""
        held = (msgspec.json.decode(record, type=ApiKey) for record in self._redis.call("HVALS", scope.key("keys")))
        return sorted(held, key=lambda key: (key.created_at, key.id))

    def revoke(self, scope: TenantScope, key_id: str) -> bool:
        """From now on it is no key; False when the tenant has none with this id."""
        flat = self._redis.call("HGETALL", scope.key("keys"))
        held = dict(zip(flat[::2], flat[1::2], strict=True))
        named = [digest for digest, record in held.items() if json.loads(record)["id"] == key_id]
        return bool(named) and bool(self._redis.call("HDEL", scope.key("keys"), *named))

    def identify(self, key: str) -> Identity:
        """The backend behind a key. Raises InvalidApiKey, for an unknown tenant just as for an unknown key."""
        written = _KEY.fullmatch(key)
        if written is None:
            raise InvalidApiKey()
        scope = TenantScope(written[1], SCOPE_SEAL)
        # Only hashes are compared, of 192 random bits: how long it takes tells nothing about a key.
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a new key, which nobody can show again; exits with 2 and the reason when there is none."""
    parser = argparse.ArgumentParser(prog="python -m shared.auth.api_keys", description=__doc__)
    parser.add_argument("tenant")
    parser.add_argument("permissions", nargs="*", metavar="PERMISSION", type=Permission, help=", ".join(Permission))
    parser.add_argument("--name", default="", help="what it is for")
    asked = parser.parse_args(arguments)
    if not is_tenant_id(asked.tenant):
        parser.error("a tenant is 1 to 64 of A-Z a-z 0-9 _ -")
    scope = TenantScope(asked.tenant, SCOPE_SEAL)
    try:
        keys = ApiKeys(Redis.from_settings(settings()))
        key, _ = keys.create(scope, asked.name, asked.permissions or [Permission.ADMIN])
    except TrafficCopError as error:
        parser.error(str(error))
    sys.stdout.write(f"{key}\n")


if __name__ == "__main__":
    main()
