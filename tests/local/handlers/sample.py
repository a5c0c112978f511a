"""Small handlers that the runtime's tests run in real worker processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

calls = 0


def echo(event: Any, context: Any) -> Any:
    return event


def pid(event: Any, context: Any) -> int:
    return os.getpid()


def count(event: Any, context: Any) -> list[int]:
    global calls
    calls += 1
    return [os.getpid(), calls]


def describe(event: Any, context: Any) -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "cwd": os.getcwd(),
        "remaining_ms": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "request_id": context.aws_request_id,
    }


def explode(event: Any, context: Any) -> None:
    raise ValueError("boom")


def leave(event: Any, context: Any) -> None:
    os._exit(7)


def print_lines(event: Any, context: Any) -> None:
    sys.stdout.write("to stdout\n")
    sys.stderr.write("to stderr\n")


def hold(event: dict[str, str], context: Any) -> int:
    """Says that it runs, then waits until the file `release` exists."""
    with Path(event["started"]).open("a") as started:
        started.write(f"{os.getpid()}\n")
    while not Path(event["release"]).exists():
        time.sleep(0.002)
    return os.getpid()


def spawn(event: dict[str, str], context: Any) -> None:
    """Leaves a child behind and dies."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(event["child"]).write_text(str(child.pid))
    os.kill(os.getpid(), signal.SIGKILL)


def large(event: Any, context: Any) -> str:
    return "x" * (7 << 20)


def record(event: dict[str, Any], context: Any) -> Any:
    """Appends each event to the file that the environment names; fails as the record's body asks."""
    import json

    with Path(os.environ["RECORD_TO"]).open("a") as file:
        file.write(json.dumps(event) + "\n")
    wanted = os.environ.get("ANSWER")
    if wanted == "raise":
        raise RuntimeError("asked to fail")
    if wanted == "partial":
        failed = [one for one in event["Records"] if one["body"].startswith("bad")]
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}
    return json.loads(wanted) if wanted else None
