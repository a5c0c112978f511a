"""One event on its way through an environment, and the answers that the platform itself gives."""

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Mapping

from local.gateway import InvokeError, InvokeTimeout

MAX_RESPONSE_BYTES = 6_291_556


class Invocation:
    """`outcome` gets the decoded result, `InvokeError` or `InvokeTimeout`, exactly once."""

    def __init__(self, event: object, request_id: str = "") -> None:
        self.id = request_id or str(uuid.uuid4())
        self.body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        self.outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        # A caller that left never asks for the exception, and asyncio would complain about that.
        self.outcome.add_done_callback(lambda outcome: outcome.cancelled() or outcome.exception())

    def headers(self, arn: str, timeout: float) -> dict[str, str]:
        """What the Runtime API sends with the event."""
        root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Trace-Id": f"Root={root};Parent={secrets.token_hex(8)};Sampled=0",
        }

    def succeed(self, body: bytes) -> None:
        """`body` is the handler's JSON."""
        if len(body) > MAX_RESPONSE_BYTES:
            return self.fail(too_large(len(body)))
        try:
            result = json.loads(body)
        except ValueError:
            return self.fail({"errorType": "Runtime.MarshalError", "errorMessage": "The result is not JSON"})
        if not self.outcome.done():
            self.outcome.set_result(result)

    def fail(self, payload: Mapping[str, object]) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(InvokeError(dict(payload)))

    def time_out(self, timeout: float) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(InvokeTimeout(f"{self.id} Task timed out after {timeout:.2f} seconds"))


def too_large(size: int) -> dict[str, object]:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size"
    message += f" ({MAX_RESPONSE_BYTES} bytes)."
    return {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}


def exited(request_id: str, how: str) -> dict[str, object]:
    message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
    return {"errorType": "Runtime.ExitError", "errorMessage": message}
