"""HTTP to AWS over kept-alive standard-library connections: timeouts, a bounded retry, no botocore."""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from shared.errors import Unavailable

_ATTEMPTS = 3
_BACKOFF_SECONDS = 0.1
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
_CHUNK = 1 << 18
# S3 and SQS close idle connections after a few seconds; a Lambda environment may have slept for minutes.
_IDLE_SECONDS = 4.0


@dataclass(frozen=True)
class Reply:
    """An answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class HttpClient:
    """Sends requests that may be repeated; every failure to get an answer is Unavailable."""

    def __init__(self, timeout_s: float = 10.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._idle: dict[tuple[str, str], list[tuple[float, http.client.HTTPConnection]]] = {}

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        sink: Callable[[bytes], object] | None = None,
    ) -> Reply:
        """The answer, whatever its status; 5xx and lost connections are tried again, three times in all.

        With `sink` the body of a 2xx answer goes there in pieces; after the first nothing is tried again.
        """
        failure: Exception | None = None
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(_BACKOFF_SECONDS * 2 ** (attempt - 1))
            try:
                reply = self._exchange(method, url, headers, body, sink)
            except (OSError, http.client.HTTPException) as error:
                failure = error
                continue
            if reply.status < 500:
                return reply
            failure = None
        if failure is None:
            raise Unavailable(f"{urlsplit(url).hostname} answered {reply.status}")
        raise Unavailable(f"{urlsplit(url).hostname} did not answer") from failure

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        sink: Callable[[bytes], object] | None,
    ) -> Reply:
        parts = urlsplit(url)
        with self._connection(parts) as connection:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request(method, target, body or None, dict(headers))
            response = connection.getresponse()
            kept = b""
            if sink is not None and response.status < 300:
                _pour(response, sink)
            else:
                kept = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, kept)

    @contextmanager
    def _connection(self, parts: SplitResult) -> Iterator[http.client.HTTPConnection]:
        connection = self._warm(parts) or _CONNECTIONS[parts.scheme](parts.netloc, timeout=self._timeout_s)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.setdefault((parts.scheme, parts.netloc), []).append((time.monotonic(), connection))

    def _warm(self, parts: SplitResult) -> http.client.HTTPConnection | None:
        idle = self._idle.get((parts.scheme, parts.netloc), [])
        while idle:
            since, connection = idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Closes the connections that are not in use."""
        for idle in self._idle.values():
            while idle:
                idle.pop()[1].close()


def _pour(response: http.client.HTTPResponse, sink: Callable[[bytes], object]) -> None:
    poured = 0
    try:
        while chunk := response.read(_CHUNK):
            sink(chunk)
            poured += len(chunk)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
    except (OSError, http.client.HTTPException) as error:
        if poured:
            raise Unavailable("the download broke off") from error
        raise
