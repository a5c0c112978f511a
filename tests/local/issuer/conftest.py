"""A fresh address and a raw caller for each test of the issuer, and a private issuer for those that bend one."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from local.issuer import ThreadedIssuer
from tests.local.issuer.http_caller import HttpCaller


@pytest.fixture
def email() -> str:
    return f"u{uuid.uuid4().hex}@acme.test"


@pytest.fixture
def http(issuer: ThreadedIssuer) -> Iterator[HttpCaller]:
    caller = HttpCaller(issuer)
    yield caller
    caller.close()


@pytest.fixture
def own_issuer() -> Iterator[ThreadedIssuer]:
    with ThreadedIssuer() as server:
        yield server


@pytest.fixture
def calling() -> Iterator[Callable[[ThreadedIssuer], HttpCaller]]:
    """Makes callers that are closed after the test."""
    made: list[HttpCaller] = []

    def call(issuer: ThreadedIssuer) -> HttpCaller:
        made.append(HttpCaller(issuer))
        return made[-1]

    yield call
    for caller in made:
        caller.close()
