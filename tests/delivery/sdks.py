"""A stock SDK beside a test that breaks the stack: its scenario runs meanwhile, and is judged at the end."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from tests.delivery.faulty import FaultyStack
from tests.sdk.running import RUN, skip_unless_installed
from tests.sdk.scenarios import Scenario
from tests.sdk.world import World, Worlds


@asynccontextmanager
async def an_sdk(faulty: FaultyStack, sdk: str, scenario: Scenario) -> AsyncIterator[tuple[World, str]]:
    """Has subscribed; the world it is in and its connection.  At the end, it must have seen what the scenario says."""
    skip_unless_installed(sdk)
    world = Worlds(faulty.stack).make()
    with ThreadPoolExecutor(1) as pool:
        running = asyncio.get_running_loop().run_in_executor(pool, RUN[sdk], scenario.name, world)
        while not (present := (await faulty.api("presence", channel=world.channel))["presence"]):
            await asyncio.sleep(0.05)
        (client,) = present
        yield world, client
        assert await running == scenario.expected, scenario.promise
