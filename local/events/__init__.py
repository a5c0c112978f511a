"""What else invokes functions on one machine: queues, new objects and the clock, with Lambda's retries."""

from local.events.asynchronous import AsynchronousInvocations
from local.events.objects import ObjectNotifications
from local.events.polling import QueuePoller
from local.events.queue_client import QueueClient
from local.events.schedule import Schedules
from local.events.sources import EventSources

__all__ = [
    "AsynchronousInvocations",
    "EventSources",
    "ObjectNotifications",
    "QueueClient",
    "QueuePoller",
    "Schedules",
]
