"""All functions of the service: what API Gateway and the event sources invoke."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from local.gateway import InvokeError
from local.runtime.function import RuntimeFunction
from local.runtime.output import WorkerLog
from local.runtime.pool import Pool

# Fewer environments than the cloud has must not turn into errors that the cloud would not give,
# as long as the gateway still waits (29 s).
PATIENCE_S = 25.0


class LambdaRuntime:
    """Runs the code below `code_root`, in up to `workers` environments for each function.

    `on_change` is called when worker processes came or went.
    """

    def __init__(
        self,
        functions: Iterable[RuntimeFunction],
        code_root: Path,
        workers: int = 3,
        log: WorkerLog | None = None,
        patience: float = PATIENCE_S,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.workers = workers
        self.patience = patience
        self._log = log or WorkerLog()
        spare_time = asyncio.Semaphore(1)
        self._pools = {one.name: Pool(one, code_root, self._log, workers, on_change, spare_time) for one in functions}

    async def invoke(self, function: str, event: object, request_id: str = "") -> object:
        """The function's decoded result; raises `InvokeError`, `InvokeTimeout` or `InvokeThrottled`."""
        pool = self._pools.get(function)
        if pool is None:
            message = f"Function not found: {function}"
            raise InvokeError({"errorType": "ResourceNotFoundException", "errorMessage": message})
        return await pool.invoke(event, self.patience, request_id)

    async def start(self, min_environments: int = 1, ready: int | None = None) -> None:
        """Start `min_environments` of each function; returns when `ready` (default: all) of each wait for events.

        May be called again with a higher number.
        """
        ready = min_environments if ready is None else ready
        await asyncio.gather(*(pool.fill(min_environments, ready) for pool in self._pools.values()))

    async def stop(self) -> None:
        """Kills every environment and what it runs; idempotent."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    def replace(self, code_root: Path, share: float = 1.0) -> None:
        """Deploy: the next environments run the code at `code_root`, the old ones finish what they do.

        With a smaller share of them (0 to 1), both versions serve side by side until the next call.
        """
        for pool in self._pools.values():
            pool.retire(code_root, share)

    def code_roots(self) -> dict[str, set[Path]]:
        """The versions of the code that serve now, by function."""
        return {name: pool.code_roots() for name, pool in self._pools.items()}

    def pids(self) -> dict[str, list[int]]:
        """The live worker processes by function; they change as environments are replaced."""
        return {name: pool.pids() for name, pool in self._pools.items()}
