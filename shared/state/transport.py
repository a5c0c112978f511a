"""The HTTP layer under `upstash_redis`: it has timeouts, keeps connections and never sends a command twice.

The stock one waits for ever, resends what may have been executed, and forgets the status of an answer.
"""

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from select import select
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

from shared.errors import Invalid
from shared.state.answers import answer_of, answers_of
from shared.state.errors import OutcomeUnknown, Unreachable

# Under the idle limit of load balancers (60 s): a frozen environment may not hear that its connection died.
_IDLE_SECONDS: Final = 30.0
_SYNC_TOKEN: Final = "Upstash-Sync-Token"  # noqa: S105 (a header's name)


class Transport:
    """Takes the place of `upstash_redis.http.SyncHttpClient`; may be used by several threads.

    `timeout_ms` bounds a whole exchange from the first byte sent to the last one read.
    """

    def __init__(
        self,
        timeout_ms: int,
        connect_timeout_ms: int,
        sync_token_changed: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._timeout_s = timeout_ms / 1000
        self._connect_timeout_s = connect_timeout_ms / 1000
        self._sync_token_changed = sync_token_changed
        self._now = now
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []

    def execute(self, url: str, headers: Mapping[str, str], command: Sequence[Any], from_pipeline: bool = False) -> Any:
        """The result, or for a pipeline the results with a CommandRefused where one failed.

        Raises Unreachable, OutcomeUnknown or CommandRefused.
        """
        status, body = self._exchange(urlsplit(url), headers, _encoded(command))
        return answers_of(status, body, len(command)) if from_pipeline else answer_of(status, body)

    def close(self) -> None:
        """Closes the connections that are not in use."""
        while self._idle:
            self._idle.pop()[1].close()

    def _exchange(self, url: SplitResult, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        connection = self._warm() or self._connect(url)
        try:
            deadline = time.monotonic() + self._timeout_s
            self._send(connection, url.path or "/", headers, body)
            status, token, answer = _receive(connection, deadline)
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append((self._now(), connection))
        if token:
            self._sync_token_changed(token)
        return status, answer

    def _warm(self) -> http.client.HTTPConnection | None:
        """A kept connection that the server has not closed; the last one used first."""
        while self._idle:
            since, connection = self._idle.pop()
            if 0 <= self._now() - since < _IDLE_SECONDS and not _readable(connection.sock):
                return connection
            connection.close()
        return None

    def _connect(self, url: SplitResult) -> http.client.HTTPConnection:
        connection = self._connection_to(url)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise Unreachable(f"cannot connect to Redis: {error}") from error
        return connection

    def _connection_to(self, url: SplitResult) -> http.client.HTTPConnection:
        if url.scheme == "https":
            return http.client.HTTPSConnection(url.netloc, timeout=self._connect_timeout_s, context=self._tls)
        return http.client.HTTPConnection(url.netloc, timeout=self._connect_timeout_s)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: it takes 30 ms."""
        return ssl.create_default_context()

    def _send(self, connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], body: bytes) -> None:
        connection.sock.settimeout(self._timeout_s)
        try:
            connection.request("POST", path, body, {**headers, "Content-Type": "application/json"})
        except OSError as error:
            # The last bytes never left, so the server holds half a body at most and cannot have executed it.
            raise Unreachable(f"the connection to Redis broke while sending: {error}") from error


def _encoded(command: Sequence[Any]) -> bytes:
    try:
        return json.dumps(command, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise Invalid("text contains a lone surrogate") from error


def _readable(sock: socket.socket) -> bool:
    """Nobody has asked anything, so readable means closed (or broken)."""
    try:
        return bool(select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _receive(connection: http.client.HTTPConnection, deadline: float) -> tuple[int, str | None, bytes]:
    timed = partial(_TimedResponse, deadline)
    connection.response_class = cast(type[http.client.HTTPResponse], timed)
    try:
        response = connection.getresponse()
        return response.status, response.getheader(_SYNC_TOKEN), response.read()
    except TimeoutError as error:
        raise OutcomeUnknown("Redis did not answer in time") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OutcomeUnknown(f"the connection to Redis broke before the answer: {error!r}") from error


class _TimedResponse(http.client.HTTPResponse):
    """A response whose every read ends at one deadline, so that a trickle of bytes cannot prolong it."""

    def __init__(self, deadline: float, sock: socket.socket, **options: Any) -> None:
        super().__init__(cast(socket.socket, _Timed(sock, deadline)), **options)


class _Timed(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        self._sock.settimeout(remaining)
        return self._sock.recv_into(buffer)
