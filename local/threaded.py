"""The whole stack for synchronous code: tests that want to break a part of it."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from local.stack import Stack, StackOptions

_T = TypeVar("_T")
_START_TIMEOUT_S = 60


class ThreadedStack:
    """A `Stack` (`.stack`) on a loop of its own, as a context manager; `.addresses` is what `up --json` prints."""

    addresses: dict[str, Any]

    def __init__(self, options: StackOptions | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-stack", daemon=True)
        self._thread.start()
        self.stack = self.run(self._make(options or StackOptions()))

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """`stack.run(stack.stack.tick())`: on the stack's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_TIMEOUT_S)

    def tick(self) -> None:
        self.run(self.stack.tick())

    def pids(self) -> dict[str, list[int]]:
        """The live worker processes by function."""
        return self.stack.runtime.pids()

    def __enter__(self) -> Self:
        try:
            self.run(self.stack.start())
        except BaseException:
            self._close()
            raise
        self.addresses = self.stack.describe()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.run(self.stack.stop())
        finally:
            self._close()

    async def _make(self, options: StackOptions) -> Stack:
        return Stack(options)

    def _close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
