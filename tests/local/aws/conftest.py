"""A bucket of its own for each test, on the suite's one S3 (`aws`)."""

import time
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import httpx
import pytest

from local.aws import ThreadedAws

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_numbers = count(1)


@pytest.fixture(scope="package")
def s3(aws: ThreadedAws) -> "Iterator[S3Client]":
    client = aws.client("s3")
    yield client
    client.close()


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    name = f"gate-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="package")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


class ServerClock:
    """The gate's clock, `ahead` seconds of ours."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(aws: ThreadedAws) -> Iterator[ServerClock]:
    aws.now = moved = ServerClock()
    yield moved
    aws.now = time.time
