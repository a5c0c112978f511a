"""S3 and SQS for synchronous code: tests of everything that stores objects or sends messages."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.aws.events import OnObjectEvent, Record
from local.aws.server import LocalAws


class ThreadedAws:
    """A `LocalAws` (`.server`) on a loop of its own, as a context manager.

    `events` collects the records of all new objects. `now` may be replaced at any time, to let signed URLs
    and policies expire.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        session_token: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.events: list[Record] = []
        self.server = LocalAws(session_token=session_token, on_object_event=self._collect, now=now)
        self._data_dir = data_dir
        self._arrived = threading.Condition()
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread

    @property
    def s3_url(self) -> str:
        return self.server.s3_url

    @property
    def sqs_url(self) -> str:
        return self.server.sqs_url

    @property
    def access_key(self) -> str:
        return self.server.credentials.access_key

    @property
    def secret_key(self) -> str:
        return self.server.credentials.secret_key

    @property
    def session_token(self) -> str:
        return self.server.credentials.session_token

    @property
    def region(self) -> str:
        return self.server.region

    @property
    def now(self) -> Callable[[], float]:
        return self.server.now

    @now.setter
    def now(self, now: Callable[[], float]) -> None:
        self.server.now = now

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of `s3` or `sqs`; `options` as of `boto3.client`."""
        import boto3
        from botocore.config import Config

        usual = {
            "endpoint_url": self.s3_url if service == "s3" else self.sqs_url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token or None,
            # Without it boto3 presigns by the old version 2, which S3 refuses for buckets made since 2020.
            "config": Config(signature_version="s3v4") if service == "s3" else None,
        }
        return boto3.client(service, **{**usual, **options})  # type: ignore[call-overload]

    def events_of(self, bucket: str, count: int = 1, timeout: float = 10) -> list[Record]:
        """The records of one bucket, once there are at least `count`; fails after `timeout` seconds."""

        def found() -> list[Record]:
            return [record for record in self.events if record["s3"]["bucket"]["name"] == bucket]

        with self._arrived:
            if not self._arrived.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError(f"{len(found())} of {count} events of {bucket} after {timeout} s")
            return found()

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-aws", daemon=True)
        self._thread.start()
        self._run(self.server.start(data_dir=self._data_dir))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        await self.server.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(90)

    def _collect(self, records: list[Record]) -> None:
        with self._arrived:
            self.events.extend(records)
            self._arrived.notify_all()


__all__ = ["OnObjectEvent", "ThreadedAws"]
