"""Event records of new objects, in the shape and with the names that S3 gives them.

Source: "Event message structure" in the Amazon S3 user guide.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

Record = dict[str, Any]
OnObjectEvent = Callable[[list[Record]], Awaitable[None] | None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewObject:
    """`created_by` is Put, Post, Copy or CompleteMultipartUpload; `etag` without quotes; `version` may be empty."""

    bucket: str
    key: str
    created_by: str
    size: int
    etag: str
    version: str
    source_ip: str
    request_id: str
    host_id: str


class ObjectEvents:
    """Hands each new object to the listener once, as a list of one record, beside the client's answer."""

    def __init__(self, region: str, now: Callable[[], float], listener: OnObjectEvent | None) -> None:
        self.listener = listener
        self._region = region
        self._now = now
        self._last_sequencer = 0
        self._under_way: set[asyncio.Task[None]] = set()

    def emit(self, created: NewObject) -> None:
        """Call it while the object's lock is held, so that sequencers rise in the order of the writes."""
        record = self._record(created)
        if self.listener is not None:
            task = asyncio.ensure_future(_deliver(self.listener, record))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """Waits for the listeners that are still at work."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _record(self, created: NewObject) -> Record:
        stored = {
            "key": quote_plus(created.key, safe="/"),
            "size": created.size,
            "eTag": created.etag,
            **({"versionId": created.version} if created.version else {}),
            "sequencer": self._next_sequencer(),
        }
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": self._region,
            "eventTime": _milliseconds(self._now()),
            "eventName": f"ObjectCreated:{created.created_by}",
            "userIdentity": {"principalId": "AWS:AIDALOCAL"},
            "requestParameters": {"sourceIPAddress": created.source_ip},
            "responseElements": {"x-amz-request-id": created.request_id, "x-amz-id-2": created.host_id},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "local",
                "bucket": {
                    "name": created.bucket,
                    "ownerIdentity": {"principalId": "A3LOCAL"},
                    "arn": f"arn:aws:s3:::{created.bucket}",
                },
                "object": stored,
            },
        }

    def _next_sequencer(self) -> str:
        self._last_sequencer = max(self._last_sequencer + 1, time.time_ns())
        return f"{self._last_sequencer:018X}"


async def _deliver(listener: OnObjectEvent, record: Record) -> None:
    try:
        outcome = listener([record])
        if inspect.isawaitable(outcome):
            await outcome
    except Exception:
        _log.exception("the listener failed on %s", record["s3"]["object"]["key"])


def _milliseconds(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment * 1000) % 1000:03d}Z"
