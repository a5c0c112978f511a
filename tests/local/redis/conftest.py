"""A fresh name and a raw caller for each test of the gateway."""

import uuid
from collections.abc import Iterator

import pytest

from local.redis import ThreadedUpstash
from tests.local.redis.rest_caller import RestCaller


@pytest.fixture
def key() -> str:
    return f"k:{uuid.uuid4()}"


@pytest.fixture
def rest(upstash: ThreadedUpstash) -> Iterator[RestCaller]:
    caller = RestCaller(upstash)
    yield caller
    caller.close()
