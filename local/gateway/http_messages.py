"""HTTP requests and responses as the gateway's parts pass them among themselves."""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

Headers = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Request:
    """`headers` keep the client's case and order; `body` is empty when `body_too_large`."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    source_ip: str
    version: str
    wait_closed: Callable[[], Awaitable[None]]
    body: bytes = b""
    body_too_large: bool = False

    @property
    def path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """All values of a header, joined; the name in lower case."""
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


@dataclass(slots=True)
class Response:
    status: int
    headers: Headers = ()
    body: bytes = b""

    def serialize(self, keep_alive: bool, with_body: bool = True) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {reason_phrase(self.status)}"]
        if self.status >= 200:
            lines.append(f"date: {_http_date(int(time.time()))}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status >= 200 and self.status not in (204, 304):
            lines.append(f"content-length: {len(self.body)}")
        if not keep_alive:
            lines.append("connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return head + self.body if with_body else head


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def json_message(status: int, message: str, headers: Headers = ()) -> Response:
    """The gateway's own answers: `{"message": …}`."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return Response(status, [("content-type", "application/json"), *headers], body)
