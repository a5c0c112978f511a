"""A stack to break things in, and the numbers that the delivery tests measured, shown at the end of the run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.delivery.faulty import FaultyStack, faulty_stack

# Where pytest-xdist takes what a worker hands over to the process that reports.
_HANDED_OVER = "delivery_measured"
_NUMBERS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="package")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    with faulty_stack(tmp_path_factory.mktemp("faulty")) as running:
        yield running


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to the terminal summary."""
    return request.config.stash.setdefault(_NUMBERS, []).append


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_HANDED_OVER] = session.config.stash.get(_NUMBERS, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    numbers = node.config.stash.setdefault(_NUMBERS, [])
    numbers += getattr(node, "workeroutput", {}).get(_HANDED_OVER, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_NUMBERS, [])
    if lines:
        terminalreporter.section("delivery, measured")
        for line in lines:
            terminalreporter.write_line(line)
