"""What workers print: one log for all of them, each line with the function and the process it came from."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from local.console import say


class WorkerLog:
    """Writes to `path` if given, and to the console (standard error) when `echo`."""

    def __init__(self, path: Path | None = None, echo: bool = False) -> None:
        self.echo = echo
        self.path = path
        self._file: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, function: str, pid: int, line: str, loud: bool = False) -> None:
        """`loud` lines reach the console in any case."""
        if self._file is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._file.write(f"{now} {function} {pid} {line}\n")
        if self.echo or loud:
            say(f"[{function} {pid}] {line}")

    async def follow(self, function: str, pid: int, output_fd: int) -> None:
        """Copies a worker's output, from a pipe that becomes ours, until it ends."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(output_fd, "rb", 0)
        )
        rest = ""
        try:
            while chunk := await stream.read(65536):
                # The runtime client separates the lines of a traceback by carriage returns.
                *lines, rest = (rest + chunk.decode("utf-8", "replace").replace("\r", "\n")).split("\n")
                for line in filter(str.strip, lines):
                    self.write(function, pid, line)
        finally:
            transport.close()
        if rest.strip():
            self.write(function, pid, rest)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
