"""Counts of one invocation, written as one line that CloudWatch makes metrics of (embedded metric format)."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

NAMESPACE: Final = "TrafficCop"
_P = ParamSpec("_P")
_T = TypeVar("_T")
# An environment has one invocation at a time.
_counts: Final[Counter[str]] = Counter()


def count(**amounts: int) -> None:
    """Adds to the invocation's metrics; one that stays 0 is not written."""
    _counts.update(amounts)


def measured(handler: Callable[_P, _T]) -> Callable[_P, _T]:
    """A Lambda handler whose counts are written when it ends, however it ends."""

    @wraps(handler)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return handler(*args, **kwargs)
        finally:
            flush()

    return run


def flush() -> None:
    """Writes what was counted since the last time; whatever the log level, for it is no log."""
    counted = {name: amount for name, amount in _counts.items() if amount}
    _counts.clear()
    if counted:
        sys.stdout.write(json.dumps(_line(counted)) + "\n")
        sys.stdout.flush()


def _line(counted: Mapping[str, int]) -> dict[str, Any]:
    names = {name: name.title().replace("_", "") for name in counted}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in names.values()],
    }
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        **{names[name]: amount for name, amount in counted.items()},
    }
