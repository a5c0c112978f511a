"""How the gateway calls functions: the interface it needs, and the integration timeout it imposes."""

import asyncio
import logging
from typing import Protocol

_log = logging.getLogger(__name__)


class InvokeError(Exception):
    """The function raised or its environment died; `payload` has `errorType` and `errorMessage`."""

    def __init__(self, payload: dict[str, object]) -> None:
        super().__init__(f"{payload.get('errorType')}: {payload.get('errorMessage')}")
        self.payload = payload


class InvokeTimeout(Exception):
    """The function ran into its own timeout."""


class InvokeThrottled(Exception):
    """No environment was free and none may be started."""


class IntegrationTimeout(Exception):
    """The gateway gave up waiting; the function goes on and nobody hears its answer."""


class Invoker(Protocol):
    async def invoke(self, function: str, event: object, request_id: str = "") -> object:
        """The function's decoded JSON result; raises `InvokeError`, `InvokeTimeout` or `InvokeThrottled`.

        `request_id` is of an event that is given again; without it the event is new.
        """
        ...


class Integration:
    """Calls functions and keeps those that outlive their caller, as Lambda does."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self._running: set[asyncio.Task[object]] = set()

    async def call(self, function: str, event: object, seconds: float) -> object:
        """The function's result; raises as `Invoker.invoke` does, or `IntegrationTimeout` after `seconds`."""
        task = asyncio.create_task(self._invoke(function, event))
        self._running.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise IntegrationTimeout(function)
        return task.result()

    async def _invoke(self, function: str, event: object) -> object:
        return await self._invoker.invoke(function, event)

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.debug("function failed: %s", error)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
