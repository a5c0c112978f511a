"""Starts real gateways on free ports; the functions behind them are small ones of each test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.local.gateway.harness import StartGateway, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def start() -> AsyncIterator[StartGateway]:
    """`await start(message=handler, …)` gives a running gateway with a route for each handler."""
    async with AsyncExitStack() as stack:
        yield StartGateway(lambda running_gateway: stack.enter_async_context(running(running_gateway)))
