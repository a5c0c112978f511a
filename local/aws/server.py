"""S3 and SQS of the local stack, as one thing to start and stop."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from local.aws.authorization import Authorizer
from local.aws.events import ObjectEvents, OnObjectEvent
from local.aws.gate import Gate
from local.aws.moto import MotoProcess
from local.aws.signatures import Credentials
from local.aws.uploads import Uploads
from local.aws.upstream import Upstream

_MAX_LINE = 16 * 1024


class LocalAws:
    """`s3_url` (the gate, path-style addresses) and `sqs_url` hold once started.

    `on_object_event` gets a list of S3 event records in AWS's shape, once per new object; a plain function
    or a coroutine function. It may be set at any time. `now` (unix seconds) judges signatures and policies.
    """

    s3_url: str
    sqs_url: str

    def __init__(
        self,
        access_key: str = "test",
        secret_key: str = "test",  # noqa: S107
        session_token: str = "",
        region: str = "us-east-1",
        on_object_event: OnObjectEvent | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.credentials = Credentials(access_key, secret_key, session_token)
        self.region = region
        self.now = now
        self._moto = MotoProcess()
        self._uploads = Uploads()
        self._events = ObjectEvents(region, self._moment, on_object_event)
        self._upstream: Upstream | None = None
        self._runner: web.ServerRunner | None = None

    @property
    def on_object_event(self) -> OnObjectEvent | None:
        return self._events.listener

    @on_object_event.setter
    def on_object_event(self, listener: OnObjectEvent | None) -> None:
        self._events.listener = listener

    @property
    def moto_pid(self) -> int | None:
        return self._moto.pid

    async def start(
        self, host: str = "127.0.0.1", s3_port: int = 0, sqs_port: int = 0, data_dir: Path | None = None
    ) -> None:
        """Port 0 takes a free one. With `data_dir`, S3 (not SQS) goes on where the last `stop` left it.

        Raises OSError when `s3_port` is taken, MotoFailed when `sqs_port` is or moto does not start.
        """
        listener = socket.create_server((host, s3_port), backlog=128)
        try:
            await self._start_moto(host, sqs_port, data_dir)
        except BaseException:
            listener.close()
            raise
        await self._start_gate(listener)
        self.s3_url = f"http://{host}:{listener.getsockname()[1]}"

    async def _start_moto(self, host: str, sqs_port: int, data_dir: Path | None) -> None:
        if data_dir is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._uploads.keep_in(data_dir / "uploads.json")
        await self._moto.start(host, sqs_port, data_dir / "objects.pickle" if data_dir else None)
        self.sqs_url = self._moto.sqs_url

    async def _start_gate(self, listener: socket.socket) -> None:
        self._upstream = Upstream(self._moto.s3_url, self.region)
        authorizer = Authorizer(self.credentials, self.region)
        gate = Gate(self._upstream, authorizer, self._events, self._uploads, self._moment)
        server = web.Server(
            gate.handle, auto_decompress=False, max_line_size=_MAX_LINE, max_field_size=_MAX_LINE, access_log=None
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=2)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Saves the objects when there is a data directory, and ends everything that `start` started."""
        runner, self._runner = self._runner, None
        upstream, self._upstream = self._upstream, None
        if runner is not None:
            await runner.cleanup()
        await self._events.settled()
        if upstream is not None:
            await upstream.close()
        await self._moto.stop()

    def _moment(self) -> float:
        return self.now()
