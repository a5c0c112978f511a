"""All event sources of a service, as one thing to start and stop."""

import asyncio
import logging
from collections.abc import Iterator

from local.events.asynchronous import RETRY_DELAYS_S, AsynchronousInvocations
from local.events.objects import ObjectNotifications
from local.events.polling import QueuePoller
from local.events.queue_client import QueueClient
from local.events.schedule import Schedules
from local.gateway import Invoker
from local.serverless import QueueEvent, ServerlessError, Service

_log = logging.getLogger(__name__)
# How many batches Lambda takes from a queue at first.
_POLLERS = 5


class EventSources:
    """`objects` is called with S3 event records; `invocations` and `schedules` may be used directly.

    `environments` is how many of a function can run at all: more batches would only wait out their visibility.
    """

    def __init__(
        self,
        service: Service,
        invoker: Invoker,
        sqs_url: str,
        environments: int = 3,
        delays: tuple[float, ...] = RETRY_DELAYS_S,
    ) -> None:
        self._service, self._invoker = service, invoker
        self._environments = environments
        self._client = QueueClient(sqs_url, service.region)
        self._queues = {queue.arn: queue for queue in service.queues}
        functions = list(service.functions.values())
        self.invocations = AsynchronousInvocations(invoker, self._send, delays)
        self.objects = ObjectNotifications(functions, self.invocations)
        self.schedules = Schedules(functions, self.invocations, service.region, service.account_id)
        self._running: list[asyncio.Task[None]] = []

    async def start(self, schedule: bool = True) -> None:
        """Poll the queues and, with `schedule`, run schedules by the real clock."""
        pollers = list(self._pollers())
        await self._client.__aenter__()
        self._running = [asyncio.create_task(poller.run()) for poller in pollers]
        if schedule:
            self._running.append(asyncio.create_task(self.schedules.run()))

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.invocations.stop()
        await self._client.__aexit__()

    def _pollers(self) -> Iterator[QueuePoller]:
        for function in self._service.functions.values():
            for event in function.events:
                if isinstance(event, QueueEvent) and event.enabled:
                    queue = self._queues.get(event.queue_arn)
                    if queue is None:
                        raise ServerlessError(f"functions.{function.name}: no queue here has the ARN {event.queue_arn}")
                    concurrency = min(event.maximum_concurrency or _POLLERS, self._environments)
                    yield QueuePoller(self._client, self._invoker, function.name, queue, event, concurrency)

    async def _send(self, queue_arn: str, body: str) -> None:
        queue = self._queues.get(queue_arn)
        if queue is None:
            _log.warning("a failed event is lost: no queue here has the ARN %s", queue_arn)
        else:
            await self._client.send(queue, body)
