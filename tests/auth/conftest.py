"""The auth layer on a real Valkey."""

import secrets
from collections.abc import Iterator

import pytest

from local.redis import ThreadedUpstash
from shared.state.client import Redis
from shared.tenant.scope import SCOPE_SEAL, TenantScope


@pytest.fixture
def store(upstash: ThreadedUpstash) -> Iterator[Redis]:
    client = Redis(upstash.rest_url, upstash.token, timeout_ms=2000, connect_timeout_ms=800)
    yield client
    client.close()


@pytest.fixture
def scope() -> TenantScope:
    # An underscore in the tenant's id must not confuse the split of an API key.
    return TenantScope(f"t_{secrets.token_hex(6)}", SCOPE_SEAL)
