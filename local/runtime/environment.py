"""One execution environment: a worker process, its Runtime API, and at most one event at a time."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from local.runtime.function import RuntimeFunction, process_environment
from local.runtime.invocation import Invocation, exited
from local.runtime.liveness import is_doomed
from local.runtime.output import WorkerLog
from local.runtime.runtime_api import RuntimeApi

_WORKER = Path(__file__).with_name("worker.py")
# Lambda allows 10 s; a laptop that starts everything at once needs more.
INIT_TIMEOUT_S = 30.0


class State(Enum):
    """RETURNING: it has answered and is about to ask for the next event."""

    STARTING = auto()
    IDLE = auto()
    BUSY = auto()
    RETURNING = auto()
    DEAD = auto()


class Environment:
    """`on_ready` is called whenever it asks for an event, `on_end` once when its process is gone."""

    def __init__(
        self,
        function: RuntimeFunction,
        code_root: Path,
        log: WorkerLog,
        on_ready: Callable[["Environment"], None],
        on_end: Callable[["Environment"], None],
    ) -> None:
        self.function, self.code_root = function, code_root
        self.state = State.STARTING
        self.pid = 0
        self.init_error: dict[str, object] | None = None
        self.retired = False
        self._log = log
        self._on_ready, self._on_end = on_ready, on_end
        self._api = RuntimeApi(self)
        self._next: asyncio.Future[tuple[dict[str, str], bytes]] | None = None
        self._invocation: Invocation | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the process exists; `on_ready` tells when the handler is imported."""
        address = await self._api.start()
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{secrets.token_hex(16)}"
        environment = process_environment(self.function, self.code_root, stream)
        # A pipe of our own: with asyncio's, a worker's end would not show while a child of it holds the pipe.
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", 0) as output, os.fdopen(writing, "wb", 0) as printed:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(_WORKER), self.function.handler, str(os.getpid())),
                env=environment | {"AWS_LAMBDA_RUNTIME_API": address},
                cwd=self.code_root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            self.pid = process.pid
            self._set_deadline(INIT_TIMEOUT_S, self._init_took_too_long)
            self._life = asyncio.create_task(self._live(process, os.dup(output.fileno())))

    def can_take_an_event(self) -> bool:
        return self.state is State.IDLE and not is_doomed(self.pid)

    def run(self, invocation: Invocation) -> None:
        """Hands the event over; only for an idle environment."""
        if self._next is None or self.state is not State.IDLE:
            raise RuntimeError("an environment takes one event at a time")
        self.state = State.BUSY
        self._invocation = invocation
        timeout = self.function.timeout
        self._set_deadline(timeout, self._event_took_too_long)
        waiting, self._next = self._next, None
        waiting.set_result((invocation.headers(self.function.arn, timeout), invocation.body))

    def kill(self) -> None:
        """The whole process group, so that what a handler started ends with it, as the sandbox would."""
        if self.pid and self.state is not State.DEAD:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Idempotent; returns when the process is gone."""
        self.kill()
        if self._life is not None:
            await self._life

    async def next_event(self) -> tuple[dict[str, str], bytes]:
        self._set_deadline(None)
        self.state = State.IDLE
        waiting: asyncio.Future[tuple[dict[str, str], bytes]] = asyncio.get_running_loop().create_future()
        self._next = waiting
        self._on_ready(self)
        return await waiting

    def answered(self, request_id: str, body: bytes) -> None:
        if invocation := self._finish(request_id):
            invocation.succeed(body)

    def failed(self, request_id: str, error: dict[str, object]) -> None:
        if invocation := self._finish(request_id):
            invocation.fail(error)

    def could_not_start(self, error: dict[str, object]) -> None:
        self.init_error = error

    def _finish(self, request_id: str) -> Invocation | None:
        invocation = self._invocation
        if invocation is None or invocation.id != request_id:
            return None
        self._invocation = None
        self.state = State.RETURNING
        self._set_deadline(None)
        return invocation

    def _set_deadline(self, seconds: float | None, action: Callable[[], None] = lambda: None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(seconds, action) if seconds is not None else None

    def _init_took_too_long(self) -> None:
        message = f"Initialisation took more than {INIT_TIMEOUT_S:.0f} seconds"
        self.init_error = {"errorType": "Sandbox.Timedout", "errorMessage": message}
        self.kill()

    def _event_took_too_long(self) -> None:
        if self._invocation is not None:
            timeout = self.function.timeout
            line = f"{self._invocation.id} Task timed out after {timeout:.2f} seconds"
            self._log.write(self.function.name, self.pid, line, loud=True)
            self._invocation.time_out(timeout)
        self.kill()

    async def _live(self, process: asyncio.subprocess.Process, output_fd: int) -> None:
        output = asyncio.create_task(self._log.follow(self.function.name, process.pid, output_fd))
        code = await process.wait()
        self._ended(code)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(output, 1.0)
        await self._api.stop()

    def _ended(self, code: int) -> None:
        was_starting = self.state is State.STARTING
        self.kill()
        self.state = State.DEAD
        self._set_deadline(None)
        how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        # Killed from outside while starting: whoever waits for an environment gets another.
        if was_starting and self.init_error is None and code != -signal.SIGKILL:
            self.init_error = exited("-", how)
        if self._invocation is not None:
            self._invocation.fail(exited(self._invocation.id, how))
        if self._next is not None:
            self._next.cancel()
        self._on_end(self)
