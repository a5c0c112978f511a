"""The environments of one function: started on demand, chosen at random, replaced when they end."""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path

from local.gateway import InvokeError, InvokeThrottled
from local.runtime.environment import Environment, State
from local.runtime.function import RuntimeFunction
from local.runtime.invocation import Invocation
from local.runtime.output import WorkerLog


class Pool:
    """At most `maximum` environments; `minimum` of them are kept running once `fill` was called.

    Replacements that nobody waits for take turns by `spare_time`, which all functions share: after the death of
    all workers, the machine first serves those who wait.
    """

    def __init__(
        self,
        function: RuntimeFunction,
        code_root: Path,
        log: WorkerLog,
        maximum: int,
        on_change: Callable[[], None],
        spare_time: asyncio.Semaphore,
    ) -> None:
        self.function, self.code_root = function, code_root
        self.maximum = maximum
        self.minimum = 0
        self.environments: list[Environment] = []
        self._log, self._on_change = log, on_change
        self._spare_time = spare_time
        self._waiting: deque[Invocation] = deque()
        self._starting: set[asyncio.Task[None]] = set()
        self._refills: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False

    def pids(self) -> list[int]:
        return [environment.pid for environment in self.environments if environment.pid]

    def code_roots(self) -> set[Path]:
        return {environment.code_root for environment in self.environments if not environment.retired}

    async def invoke(self, event: object, patience: float, request_id: str = "") -> object:
        """Waits up to `patience` seconds for an environment, then `InvokeThrottled`."""
        if self._closed:
            raise InvokeError({"errorType": "ServiceException", "errorMessage": "the local stack is stopping"})
        invocation = Invocation(event, request_id)
        self._waiting.append(invocation)
        self._dispatch()
        throttle = asyncio.get_running_loop().call_later(patience, self._give_up, invocation)
        try:
            return await invocation.outcome
        finally:
            throttle.cancel()
            self._forget(invocation)

    async def fill(self, minimum: int, ready: int) -> None:
        """Start until `minimum` run; returns when `ready` of them took their place among the idle.

        An environment that cannot start is reported, and counts as ready: an invocation will say why.
        """
        self.minimum = min(minimum, self.maximum)
        for _ in range(self.minimum - len(self.environments)):
            self._start()
        await asyncio.gather(*self._starting, return_exceptions=True)
        mine = list(self.environments)
        while sum(one.state is not State.STARTING for one in mine) < min(ready, len(mine)):
            await self._change()

    def retire(self, code_root: Path, share: float) -> None:
        """New environments run the code at `code_root`; that share of the present ones ends when it is idle."""
        self.code_root = code_root
        present = [one for one in self.environments if not one.retired]
        for environment in random.sample(present, math.ceil(len(present) * share)):
            environment.retired = True
            if environment.state is State.IDLE:
                environment.kill()

    async def close(self) -> None:
        self._closed = True
        under_way = self._starting | self._refills
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.gather(*(environment.stop() for environment in list(self.environments)))

    def _dispatch(self) -> None:
        while self._waiting and (environment := self._choose()):
            environment.run(self._waiting.popleft())
        coming = sum(one.state in (State.STARTING, State.RETURNING) for one in self.environments)
        room = self.maximum - len(self.environments)
        for _ in range(min(len(self._waiting) - coming, room)):
            self._start()

    def _choose(self) -> Environment | None:
        """Any idle one, with equal chances: nothing may come to rely on meeting the same one again."""
        able = [one for one in self.environments if not one.retired and one.can_take_an_event()]
        return random.choice(able) if able else None  # noqa: S311 (not a secret)

    def _start(self) -> Environment:
        environment = Environment(self.function, self.code_root, self._log, self._ready, self._ended)
        self.environments.append(environment)
        task = asyncio.create_task(environment.start())
        self._starting.add(task)
        task.add_done_callback(lambda done: self._started(environment, done))
        return environment

    async def _refill(self) -> None:
        async with self._spare_time:
            if len(self.environments) < self.minimum and not self._closed:
                environment = self._start()
                while environment.state is State.STARTING:
                    await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _started(self, environment: Environment, task: "asyncio.Task[None]") -> None:
        self._starting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            environment.init_error = {"errorType": "Runtime.StartError", "errorMessage": str(error)}
            self._ended(environment)
        self._on_change()

    def _ready(self, environment: Environment) -> None:
        if environment.retired:
            environment.kill()
        self._changed.set()
        self._dispatch()

    def _ended(self, environment: Environment) -> None:
        environment.state = State.DEAD
        if environment in self.environments:
            self.environments.remove(environment)
        self._changed.set()
        if self._closed:
            return
        self._on_change()
        if environment.init_error is not None:
            self._could_not_start(environment)
        elif len(self.environments) < self.minimum:
            refill = asyncio.create_task(self._refill())
            self._refills.add(refill)
            refill.add_done_callback(self._refills.discard)
        self._dispatch()

    def _could_not_start(self, environment: Environment) -> None:
        """Whoever waited for it hears why; it is not tried again before the next invocation."""
        error = environment.init_error or {}
        words = f"could not start: {error.get('errorType')}: {error.get('errorMessage')}"
        self._log.write(self.function.name, environment.pid, words, loud=True)
        if self._waiting:
            self._waiting.popleft().fail(error)

    def _give_up(self, invocation: Invocation) -> None:
        if invocation in self._waiting:
            self._waiting.remove(invocation)
            throttled = InvokeThrottled(f"{self.function.name}: {self.maximum} environments are busy")
            invocation.outcome.set_exception(throttled)

    def _forget(self, invocation: Invocation) -> None:
        if invocation in self._waiting:
            self._waiting.remove(invocation)
