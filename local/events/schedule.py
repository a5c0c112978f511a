"""EventBridge's schedules, by the real clock or stepped."""

import asyncio
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local.events.asynchronous import AsynchronousInvocations
from local.serverless import Function, ScheduleEvent


class Schedules:
    def __init__(
        self,
        functions: Iterable[Function],
        invocations: AsynchronousInvocations,
        region: str,
        account_id: str,
    ) -> None:
        self._invocations = invocations
        self._region, self._account_id = region, account_id
        self._scheduled = [
            (function, event)
            for function in functions
            for event in function.events
            if isinstance(event, ScheduleEvent) and event.enabled
        ]

    async def run(self) -> None:
        """Every schedule at its own rate, by the real clock, until cancelled."""
        await asyncio.gather(*(self._repeat(function, event) for function, event in self._scheduled))

    async def tick(self) -> None:
        """Every schedule once, now; returns when all of them are dealt with (retries included)."""
        await asyncio.gather(*(self._fire(function, event) for function, event in self._scheduled))

    async def _repeat(self, function: Function, event: ScheduleEvent) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + event.seconds, loop.time())
            await asyncio.sleep(due - loop.time())
            self._fire(function, event)

    def _fire(self, function: Function, event: ScheduleEvent) -> "asyncio.Task[None]":
        payload = event.input if event.input is not None else self._event(event)
        return self._invocations.submit(function, payload)

    def _event(self, event: ScheduleEvent) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._account_id,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": self._region,
            "resources": [f"arn:aws:events:{self._region}:{self._account_id}:rule/{event.rule}"],
            "detail": {},
        }
