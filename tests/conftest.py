"""Real servers for every test of the suite: started once per session, shared by random tenants."""

from collections.abc import Iterator

import pytest
import redis

from local.redis import ThreadedUpstash


@pytest.fixture(scope="session")
def upstash() -> Iterator[ThreadedUpstash]:
    """Valkey behind the Upstash REST gateway: `.rest_url`, `.token`, `.redis_url`, `.commands()`, `.counting()`."""
    with ThreadedUpstash() as server:
        yield server


@pytest.fixture(scope="session")
def redis_direct(upstash: ThreadedUpstash) -> Iterator["redis.Redis"]:
    """redis-py on the same server, for looking at (or preparing) what the REST side stored."""
    with redis.Redis.from_url(upstash.redis_url, decode_responses=True) as client:
        yield client
