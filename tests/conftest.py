"""Real servers for every test of the suite: started once per session, shared by random tenants."""

from collections.abc import Iterator

import pytest
import redis

from local.aws import ThreadedAws
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def upstash() -> Iterator[ThreadedUpstash]:
    """Valkey behind Upstash's REST API: `.rest_url`, `.token`, `.redis_url`, `.counting()`, `.faults`."""
    with ThreadedUpstash() as server:
        yield server


@pytest.fixture(scope="session")
def redis_direct(upstash: ThreadedUpstash) -> Iterator["redis.Redis"]:
    """redis-py on the same server, for looking at (or preparing) what the REST side stored."""
    with redis.Redis.from_url(upstash.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture(scope="session")
def issuer() -> Iterator[ThreadedIssuer]:
    """Supabase Auth: `.url`, `.anon_key`, `.service_key`, `.keys`, `.add_user`, `.sign_in`, `.mint`.

    Shared by all tests: one that rotates keys, moves the clock or breaks the JWKS makes its own `ThreadedIssuer`.
    """
    with ThreadedIssuer() as server:
        yield server


@pytest.fixture(scope="session")
def aws() -> Iterator[ThreadedAws]:
    """S3 and SQS behind the strict gate: `.s3_url`, `.sqs_url`, `.client("s3")`, `.events_of(bucket)`."""
    with ThreadedAws() as server:
        yield server


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole local stack, with at least three Lambda environments a function."""
    with running_stack(tmp_path_factory.mktemp("stack"), "--workers", "4") as running:
        yield running


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio."""
    return "asyncio"
