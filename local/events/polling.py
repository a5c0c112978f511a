"""Lambda's SQS event source: polls a queue, invokes with batches, deletes what succeeded."""

import asyncio
import logging
from typing import Any

import aiohttp

from local.events.queue_client import Message, QueueClient, QueueFailure
from local.gateway import InvokeError, Invoker, InvokeThrottled, InvokeTimeout
from local.serverless import Queue, QueueEvent

_log = logging.getLogger(__name__)
_PAUSE_S = 0.2


class QueuePoller:
    """At most `concurrency` batches of one queue are with the function at a time.

    What fails becomes visible again by the queue's visibility timeout, and goes to the dead-letter queue by
    its redrive policy, as on AWS.
    """

    def __init__(
        self,
        client: QueueClient,
        invoker: Invoker,
        function: str,
        queue: Queue,
        event: QueueEvent,
        concurrency: int,
    ) -> None:
        self._client, self._invoker = client, invoker
        self._function, self._queue, self._event = function, queue, event
        self._free = asyncio.Semaphore(concurrency)
        self._batches: set[asyncio.Task[None]] = set()
        self._region = queue.arn.split(":")[3]

    async def run(self) -> None:
        """Until cancelled; batches under way are then abandoned, like by a function that was killed."""
        try:
            while True:
                await self._free.acquire()
                messages = await self._receive()
                if messages:
                    batch = asyncio.create_task(self._process(messages))
                    self._batches.add(batch)
                    batch.add_done_callback(self._finished)
                else:
                    self._free.release()
        finally:
            for batch in self._batches:
                batch.cancel()
            await asyncio.gather(*self._batches, return_exceptions=True)

    async def _receive(self) -> list[Message]:
        try:
            return await self._client.receive(self._queue, self._event.batch_size)
        except (aiohttp.ClientError, TimeoutError, QueueFailure) as error:
            _log.warning("polling %s: %s", self._queue.name, error)
            await asyncio.sleep(_PAUSE_S)
            return []

    def _finished(self, batch: "asyncio.Task[None]") -> None:
        self._batches.discard(batch)
        self._free.release()
        if not batch.cancelled() and (error := batch.exception()):
            _log.warning("a batch of %s: %s", self._queue.name, error)

    async def _process(self, messages: list[Message]) -> None:
        records = [self._record(message) for message in messages]
        try:
            result = await self._invoker.invoke(self._function, {"Records": records})
        except (InvokeError, InvokeTimeout, InvokeThrottled) as error:
            _log.warning("%s failed on a batch of %s: %s", self._function, self._queue.name, error)
            return
        done = messages
        if self._event.partial_failures:
            failed = failed_messages(result, {message["MessageId"] for message in messages})
            done = [message for message in messages if message["MessageId"] not in failed]
        await self._client.delete(self._queue, done)

    def _record(self, message: Message) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue.arn,
            "awsRegion": self._region,
        }


def failed_messages(result: object, batch: set[str]) -> set[str]:
    """Which of the batch failed, by the function's answer; all of them if the answer makes no sense.

    Source: "Implementing partial batch responses" in the AWS Lambda developer guide.
    """
    if result is None or result == {}:
        return set()
    failures = result.get("batchItemFailures") if isinstance(result, dict) else result
    if failures is None and isinstance(result, dict):
        return set()
    if not isinstance(failures, list):
        return batch
    named = {failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures}
    return {str(one) for one in named} if named <= batch else batch


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    attribute = {name[:1].lower() + name[1:]: content for name, content in value.items()}
    return {"stringListValues": [], "binaryListValues": [], **attribute}
