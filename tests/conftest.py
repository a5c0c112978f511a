"""Real servers for every test of the suite: started once per session, shared by random tenants."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from xdist.scheduler import LoadScopeScheduling

from local.aws import ThreadedAws
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from tests.support.stack import Stack, running_stack

# Their tests share the stack, and load it enough one at a time.
WITH_THE_STACK = {"acceptance", "contracts", "delivery", "scaling_safety", "sdk", "uppy"}
_SHOWN_BYTES = 8
# Where pytest-xdist takes what a process hands over to the one that reports.
_HANDED_OVER = "measured"
_NUMBERS = pytest.StashKey[list[str]]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs in two processes, a part of it in pytest's own."""
    return 2 if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


class ByFolder(LoadScopeScheduling):
    """One process for all tests of a folder, and one for all those with the stack."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.partition("::")[0].rpartition("/")[0]
        return "stack" if WITH_THE_STACK & {*folder.split("/")} else folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    return ByFolder(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Archives hold the time: both processes must give a test the same name."""
    return argname if isinstance(val, bytes) and len(val) > _SHOWN_BYTES else None


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to the terminal summary."""
    return request.config.stash.setdefault(_NUMBERS, []).append


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_HANDED_OVER] = session.config.stash.get(_NUMBERS, [])


def pytest_testnodedown(node: Any) -> None:
    numbers = node.config.stash.setdefault(_NUMBERS, [])
    numbers += getattr(node, "workeroutput", {}).get(_HANDED_OVER, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_NUMBERS, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


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
