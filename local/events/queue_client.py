"""SQS's JSON protocol on the event loop, so that a long poll blocks nothing and can be abandoned."""

import json
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp

from local.serverless import Queue

Message = dict[str, Any]
_LONG_POLL_S = 20


class QueueFailure(Exception):
    """SQS refused; the message is its own."""


class QueueClient:
    """Open it with `async with`; `url` is where SQS answers, whatever host its queue URLs name."""

    def __init__(self, url: str, region: str = "us-east-1") -> None:
        self._url, self._region = url, region
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LONG_POLL_S + 15))
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def receive(self, queue: Queue, count: int) -> list[Message]:
        """Up to `count` messages; waits up to 20 s for the first."""
        wanted = {
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
            "MaxNumberOfMessages": min(count, 10),
        }
        answer = await self._call("ReceiveMessage", queue, WaitTimeSeconds=_LONG_POLL_S, **wanted)
        return list(answer.get("Messages") or [])

    async def delete(self, queue: Queue, messages: list[Message]) -> None:
        for start in range(0, len(messages), 10):
            batch = enumerate(messages[start : start + 10])
            entries = [{"Id": str(i), "ReceiptHandle": one["ReceiptHandle"]} for i, one in batch]
            await self._call("DeleteMessageBatch", queue, Entries=entries)

    async def send(self, queue: Queue, body: str) -> None:
        await self._call("SendMessage", queue, MessageBody=body)

    async def _call(self, operation: str, queue: Queue, **arguments: Any) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("use it as an asynchronous context manager")
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{operation}",
            "Authorization": self._credential(),
        }
        body = json.dumps({"QueueUrl": queue.url, **arguments})
        async with self._session.post(f"{self._url}/", data=body, headers=headers) as response:
            text = await response.text()
            if response.status != 200:
                raise QueueFailure(f"{operation} on {queue.name}: {response.status} {text}")
            return json.loads(text or "{}") or {}

    def _credential(self) -> str:
        # moto takes the region from the credential's scope and checks no signature.
        scope = f"test/{datetime.now(UTC):%Y%m%d}/{self._region}/sqs/aws4_request"
        return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
