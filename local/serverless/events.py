"""The `events` of a function, each in the notations that the Serverless Framework allows."""

import re
from collections.abc import Callable
from typing import Any

from local.serverless.errors import ServerlessError
from local.serverless.model import Event, HttpEvent, ObjectEvent, QueueEvent, ScheduleEvent, SocketEvent

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


def read_events(declared: Any, where: str) -> tuple[Event, ...]:
    """`declared` without variables and functions; `ServerlessError` for what the local stack does not run."""
    events: list[Event] = []
    for index, entry in enumerate(declared or []):
        place = f"{where}.events[{index}]"
        if not isinstance(entry, dict) or len(entry) != 1:
            raise ServerlessError(f"{place}: one event with its kind as the only key is expected")
        ((kind, value),) = entry.items()
        read = _READERS.get(kind)
        if read is None:
            raise ServerlessError(f"{place}: the local stack runs no `{kind}` events (it runs: {', '.join(_READERS)})")
        events += read(value, place)
    return tuple(events)


def checked(value: Any, where: str, required: set[str], optional: set[str]) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    if not isinstance(value, dict) or required - value.keys():
        raise ServerlessError(f"{where}: a mapping with {', '.join(sorted(required))} is expected")
    if unknown := value.keys() - required - optional:
        raise ServerlessError(f"{where}: the local stack does not understand {', '.join(sorted(unknown))}")
    return value


def as_int(value: Any, where: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ServerlessError(f"{where}: a number is expected, not {value!r}") from None


def _http(value: Any, where: str) -> list[Event]:
    if isinstance(value, str):
        method, _, path = value.rpartition(" ")
    else:
        route = checked(value, where, {"path"}, {"method"})
        method, path = route.get("method", "*"), route["path"]
    method = {"": "ANY", "*": "ANY"}.get(method.strip(), method.strip().upper())
    if path == "*":
        return [HttpEvent("ANY", "$default")]
    if not path.startswith("/"):
        raise ServerlessError(f"{where}: a path begins with /, unlike {path!r}")
    return [HttpEvent(method, path)]


def _socket(value: Any, where: str) -> list[Event]:
    if isinstance(value, str):
        return [SocketEvent(value)]
    route = checked(value, where, {"route"}, {"routeResponseSelectionExpression"})
    return [SocketEvent(route["route"], "routeResponseSelectionExpression" in route)]


def _queue(value: Any, where: str) -> list[Event]:
    if isinstance(value, str):
        return [QueueEvent(value)]
    optional = {"batchSize", "maximumConcurrency", "functionResponseType", "enabled", "maximumBatchingWindow"}
    queue = checked(value, where, {"arn"}, optional)
    limit = queue.get("maximumConcurrency")
    event = QueueEvent(
        queue["arn"],
        as_int(queue.get("batchSize", 10), f"{where}.batchSize"),
        None if limit is None else as_int(limit, f"{where}.maximumConcurrency"),
        queue.get("functionResponseType") == "ReportBatchItemFailures",
        queue.get("enabled", True),
    )
    return [event]


def _object(value: Any, where: str) -> list[Event]:
    if isinstance(value, str):
        return [ObjectEvent(value)]
    declared = checked(value, where, {"bucket"}, {"event", "rules", "existing", "forceDeploy"})
    rules = {name: text for rule in declared.get("rules", []) for name, text in rule.items()}
    event = declared.get("event", "s3:ObjectCreated:*")
    return [ObjectEvent(declared["bucket"], (event,), rules.get("prefix", ""), rules.get("suffix", ""))]


def _schedule(value: Any, where: str) -> list[Event]:
    optional = {"enabled", "input", "method", "name", "description", "timezone"}
    schedule = checked(value if isinstance(value, dict) else {"rate": value}, where, {"rate"}, optional)
    rates = schedule["rate"] if isinstance(schedule["rate"], list) else [schedule["rate"]]
    return [_scheduled(rate, schedule, where) for rate in rates]


def _scheduled(rate: Any, schedule: dict[str, Any], where: str) -> Event:
    matched = _RATE.fullmatch(str(rate).strip())
    if matched is None:
        raise ServerlessError(f"{where}: the local stack runs rate(n minutes|hours|days), not {rate!r}")
    rule = re.sub(r"\W+", "-", where).strip("-")
    seconds = int(matched[1]) * _UNIT_SECONDS[matched[2]]
    return ScheduleEvent(seconds, schedule.get("name", rule), schedule.get("input"), schedule.get("enabled", True))


_READERS: dict[str, Callable[[Any, str], list[Event]]] = {
    "httpApi": _http,
    "websocket": _socket,
    "sqs": _queue,
    "s3": _object,
    "schedule": _schedule,
}
