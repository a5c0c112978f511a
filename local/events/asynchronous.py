"""Asynchronous invocations: nobody waits, failures are tried again, and what stays failed is reported."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from local.gateway import InvokeError, Invoker, InvokeThrottled, InvokeTimeout
from local.serverless import Function

# Lambda waits one minute, then two; nobody debugs at that pace.
RETRY_DELAYS_S = (1.0, 2.0)
_THROTTLED_DELAY_S = 1.0
GiveUp = Callable[[str, str], Awaitable[None]]


class AsynchronousInvocations:
    """`give_up` gets the ARN of a function's failure destination and the record for it, as JSON."""

    def __init__(self, invoker: Invoker, give_up: GiveUp, delays: Sequence[float] = RETRY_DELAYS_S) -> None:
        self._invoker, self._give_up = invoker, give_up
        self._delays = delays
        self._under_way: set[asyncio.Task[None]] = set()

    def submit(self, function: Function, event: object) -> "asyncio.Task[None]":
        """Returns at once; the task ends, without an exception, when the event is dealt with or given up."""
        task = asyncio.create_task(self._see_through(function, event))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def stop(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _see_through(self, function: Function, event: object) -> None:
        received, attempts, request_id = time.monotonic(), 0, str(uuid.uuid4())
        while True:
            try:
                await self._invoker.invoke(function.name, event, request_id)
                return
            except InvokeThrottled as error:
                failure, delay = _payload(error), _THROTTLED_DELAY_S
            except (InvokeError, InvokeTimeout) as error:
                attempts += 1
                failure = _payload(error)
                if attempts > function.retries:
                    return await self._report(function, event, request_id, failure, "RetriesExhausted", attempts)
                delay = self._delays[min(attempts, len(self._delays)) - 1]
            if time.monotonic() - received + delay > function.maximum_event_age:
                return await self._report(function, event, request_id, failure, "EventAgeExceeded", attempts)
            await asyncio.sleep(delay)

    async def _report(
        self,
        function: Function,
        event: object,
        request_id: str,
        failure: dict[str, object],
        condition: str,
        attempts: int,
    ) -> None:
        if function.on_failure is None:
            return
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": request_id,
                "functionArn": f"{function.arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": failure,
        }
        await self._give_up(function.on_failure, json.dumps(record))


def _payload(error: Exception) -> dict[str, object]:
    if isinstance(error, InvokeError):
        return error.payload
    return {"errorType": type(error).__name__, "errorMessage": str(error)}
