"""Tells functions of new objects, by the buckets' notifications."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote_plus

from local.events.asynchronous import AsynchronousInvocations
from local.serverless import Function, ObjectEvent

Record = dict[str, Any]


class ObjectNotifications:
    """Call it with S3 event records; each matching function is invoked asynchronously, once per record."""

    def __init__(self, functions: Iterable[Function], invocations: AsynchronousInvocations) -> None:
        self._invocations = invocations
        self._wanted = [
            (function, event) for function in functions for event in function.events if isinstance(event, ObjectEvent)
        ]

    def __call__(self, records: list[Record]) -> None:
        for record in records:
            for function, event in self._wanted:
                if matches(event, record):
                    self._invocations.submit(function, {"Records": [record]})


def matches(event: ObjectEvent, record: Record) -> bool:
    """Prefix and suffix are compared with the key itself, which the record holds URL-encoded."""
    key = unquote_plus(record["s3"]["object"]["key"])
    name = f"s3:{record['eventName']}"
    return (
        record["s3"]["bucket"]["name"] == event.bucket
        and any(fnmatchcase(name, pattern) for pattern in event.events)
        and key.startswith(event.prefix)
        and key.endswith(event.suffix)
    )
