"""A server of their own for the tests that flush, freeze and break it; a fresh key and a raw caller for each."""

import uuid
from collections.abc import Iterator

import pytest
import redis

from local.redis import ThreadedUpstash
from tests.local.redis.rest_caller import RestCaller


@pytest.fixture(scope="session")
def upstash() -> Iterator[ThreadedUpstash]:
    with ThreadedUpstash() as server:
        yield server


@pytest.fixture(scope="session")
def redis_direct(upstash: ThreadedUpstash) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(upstash.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"k:{uuid.uuid4()}"


@pytest.fixture
def rest(upstash: ThreadedUpstash) -> Iterator[RestCaller]:
    caller = RestCaller(upstash)
    yield caller
    caller.close()
