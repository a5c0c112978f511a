"""Starts and ends the process that holds moto."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

_START_SECONDS = 60
_STOP_SECONDS = 60


class MotoFailed(Exception):
    """moto did not start; its own words are on standard error."""


class MotoProcess:
    """moto's S3 and SQS on two ports of one child process; `s3_url` and `sqs_url` hold once started."""

    s3_url: str
    sqs_url: str

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self, host: str, sqs_port: int = 0, saved: Path | None = None) -> None:
        """S3 takes a free port (only the gate talks to it); `saved` keeps the objects from run to run."""
        arguments = [host, "0", str(sqs_port), *([str(saved)] if saved else [])]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "local.aws.moto_child", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
            # Ctrl-C in the terminal is for the parent, which stops this child in order.
            start_new_session=True,
        )
        ports = json.loads(await self._first_line(self._process.stdout))
        self.s3_url = f"http://{host}:{ports['s3']}"
        self.sqs_url = f"http://{host}:{ports['sqs']}"

    async def _first_line(self, output: asyncio.StreamReader | None) -> bytes:
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(output.readline(), _START_SECONDS) if output else b""
        if not line:
            await self.stop()
            raise MotoFailed("moto did not start")
        return line

    async def stop(self) -> None:
        """Lets it save and waits for its end; kills it when that takes a minute."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    # moto talks to nobody; credentials of the developer have no business in there.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "AWS_DEFAULT_REGION": "us-east-1"}
