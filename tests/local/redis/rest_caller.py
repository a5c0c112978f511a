"""Raw HTTP to the gateway: what no client library would let a test send or see."""

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from local.redis import ThreadedUpstash


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RestCaller:
    """One kept-alive connection per caller."""

    def __init__(self, upstash: ThreadedUpstash) -> None:
        url = urlsplit(upstash.rest_url)
        self._link = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
        self._token = upstash.token

    def send(
        self,
        body: object = None,
        path: str = "/",
        method: str = "POST",
        headers: dict[str, str] | None = None,
        authorized: bool = True,
    ) -> Answer:
        """`body`: bytes as they are, anything else as JSON, None for none."""
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        credentials = {"Authorization": f"Bearer {self._token}"} if authorized else {}
        self._link.request(method, path, sent, credentials | (headers or {}))
        response = self._link.getresponse()
        return Answer(response.status, response.headers, response.read())

    def stream(self, path: str) -> http.client.HTTPResponse:
        """A server-sent event stream; read its lines."""
        self._link.request(
            "POST", path, headers={"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
        )
        return self._link.getresponse()

    def timeout(self, seconds: float) -> None:
        self._link.timeout = seconds
        if self._link.sock is not None:
            self._link.sock.settimeout(seconds)

    def close(self) -> None:
        self._link.close()
