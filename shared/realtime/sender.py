"""Posts to @connections: many sockets at once, one post in flight for each, through libcurl's multi interface."""

import io
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import quote

import pycurl

from shared.aws.credentials import Credentials
from shared.aws.sigv4 import Signer, sha256_hex
from shared.observe.metrics import count
from shared.settings import Settings


class Outcome(Enum):
    """What became of all that one connection was to get."""

    DELIVERED = "delivered"
    GONE = "gone"
    UNKNOWN = "unknown"
    """Timeout, reset or 5xx: it may have arrived, so it is never repeated."""
    UNSENT = "unsent"
    """It did not get all, and nothing is in doubt: the deadline came first, or the call was refused."""
    SLOW = "slow"
    """Unsent, because it was throttled all the time while hardly any other was: its client does not read."""


@dataclass(frozen=True)
class Post:
    """Frames for one connection, sent one after the other."""

    connection: str
    frames: Sequence[bytes]


@dataclass(frozen=True)
class Report:
    """Outcomes by connection, how many calls were throttled on the way, and how many were accepted."""

    outcomes: dict[str, Outcome]
    throttled: int
    accepted: int = 0


@dataclass
class _Work:
    post: Post
    sent: int = 0
    tries: int = 0
    not_before: float = 0.0
    began: float = 0.0
    throttled_since: float = 0.0

    @property
    def frame(self) -> bytes:
        return self.post.frames[self.sent]

    @property
    def closes(self) -> bool:
        return self.frame is _CLOSE

    @property
    def says_farewell(self) -> bool:
        """Whatever becomes of this frame, the deletion follows."""
        return self.is_closing and not self.closes

    @property
    def is_closing(self) -> bool:
        return self.post.frames[-1] is _CLOSE


# The request never left, so trying again cannot repeat it.
_NOT_SENT: Final = frozenset((pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY))
_BACKOFF_S: Final = (0.02, 1.0)
# A call hangs that takes so many times as long as any that was answered.
_TIMES_SLOWER: Final = 4
# So long throttled while hardly anybody else was.
_SLOW_AFTER_S: Final = 2.0
_HARDLY_ANYBODY: Final = 0.05
# Longer than this, a kept connection is likelier to be closed than worth a handshake.
_IDLE_TRUSTED_S: Final = 30
# The wheel's libcurl looks where its builder kept certificates; this machine may keep them elsewhere.
_CA_FILE: Final = ssl.get_default_verify_paths().cafile
# In place of a frame: delete the connection.
_CLOSE: Final = b""
# Each call of a closing is short, so that a farewell that hangs leaves time for the deletion.
_CLOSING_S, _CLOSING_CALL_MS = 2.0, 500


class Sender:
    """Sends frames to connections of one API Gateway stage. Not for use by several threads at once.

    A call is given up after `timeout_ms`; after `hung_ms` already where most others took a small part of that, for
    then it is not the gateway that is slow.
    """

    def __init__(
        self, endpoint: str, signer: Signer, *, concurrency: int, timeout_ms: int, hung_ms: int = 1_000
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._signer = signer
        self._timeout_ms = timeout_ms
        self._hung_s = hung_ms / 1000
        self._multi = pycurl.CurlMulti()
        self._free = [pycurl.Curl() for _ in range(concurrency)]

    @classmethod
    def from_settings(cls, settings: Settings, credentials: Credentials) -> "Sender":
        return cls(
            settings.connections_endpoint,
            Signer(credentials, settings.aws_region, "execute-api"),
            concurrency=settings.send_concurrency,
            timeout_ms=settings.send_timeout_ms,
        )

    @property
    def timeout_s(self) -> float:
        return self._timeout_ms / 1000

    def post(self, posts: Sequence[Post], deadline: float) -> Report:
        """Sends everything; nothing is begun after `deadline` (time.monotonic). Throttled calls are tried again."""
        report = _Round(self, posts, deadline).run()
        count(posts=report.accepted)
        return report

    def close(self, connections: Sequence[str], farewell: bytes = b"") -> Report:
        """Sends the farewell if it can, then has API Gateway close the sockets; for two seconds again where that fails.

        `outcomes` tell of the closing, `accepted` of the farewells.
        """
        frames = (farewell, _CLOSE) if farewell else (_CLOSE,)
        return self.post([Post(connection, frames) for connection in connections], time.monotonic() + _CLOSING_S)

    def _prepare(self, curl: Any, work: _Work, body_hash: str) -> None:
        connection, body = work.post.connection, work.frame
        method = "DELETE" if body is _CLOSE else "POST"
        url = f"{self._endpoint}/@connections/{quote(connection, safe='')}"
        headers = self._signer.headers(method, url, {"content-type": "application/json"}, body_hash, time.time())
        curl.reset()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()] + ["Expect:"])
        curl.setopt(pycurl.TIMEOUT_MS, min(self._timeout_ms, _CLOSING_CALL_MS) if work.is_closing else self._timeout_ms)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.WRITEFUNCTION, len)
        curl.setopt(pycurl.MAXAGE_CONN, _IDLE_TRUSTED_S)
        if _CA_FILE:
            curl.setopt(pycurl.CAINFO, _CA_FILE)
        if body is _CLOSE:
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        else:
            # Read, not given whole: libcurl sends a body that it holds again when a kept connection dies unanswered.
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE, len(body))
            curl.setopt(pycurl.READFUNCTION, io.BytesIO(body).read)


class _Round:
    """One call of `Sender.post`."""

    def __init__(self, sender: Sender, posts: Sequence[Post], deadline: float) -> None:
        self._sender = sender
        self._deadline = deadline
        self._waiting = deque(_Work(post) for post in posts)
        self._active: dict[Any, _Work] = {}
        self._hashes: dict[bytes, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._throttled = 0
        self._accepted = 0
        self._answers = 0
        self._slowest = 0.0
        self._of = len(posts)
        self._were_throttled: set[str] = set()

    def run(self) -> Report:
        try:
            self._work()
        finally:
            for curl in list(self._active):
                self._put_back(curl)
        return Report(self._outcomes, self._throttled, self._accepted)

    def _work(self) -> None:
        multi = self._sender._multi
        while self._waiting or self._active:
            self._start()
            multi.perform()
            self._collect()
            self._give_up_hung()
            if self._active:
                multi.select(0.05)
            elif self._waiting:
                time.sleep(min(0.01, _BACKOFF_S[0]))

    def _start(self) -> None:
        now = time.monotonic()
        if now >= self._deadline:
            for work in self._waiting:
                self._outcomes[work.post.connection] = self._unsent(work, now)
            self._waiting.clear()
        for _ in range(len(self._waiting)):
            if not self._sender._free:
                return
            work = self._waiting.popleft()
            if work.not_before > now:
                self._waiting.append(work)
            else:
                self._begin(work, now)

    def _unsent(self, work: _Work, now: float) -> Outcome:
        throttled = bool(work.throttled_since) and now - work.throttled_since >= _SLOW_AFTER_S
        alone = len(self._were_throttled) <= max(1, self._of * _HARDLY_ANYBODY)
        return Outcome.SLOW if throttled and alone else Outcome.UNSENT

    def _begin(self, work: _Work, now: float) -> None:
        work.began = now
        body = work.frame
        if body not in self._hashes:
            self._hashes[body] = sha256_hex(body)
        curl = self._sender._free[-1]
        self._sender._prepare(curl, work, self._hashes[body])
        self._sender._free.pop()
        self._active[curl] = work
        self._sender._multi.add_handle(curl)

    def _collect(self) -> None:
        more = 1
        while more:
            more, done, failed = self._sender._multi.info_read()
            for curl in done:
                self._answers += 1
                self._slowest = max(self._slowest, time.monotonic() - self._active[curl].began)
                self._finish(curl, self._answered(curl.getinfo(pycurl.RESPONSE_CODE)))
            for curl, code, _ in failed:
                self._finish(curl, self._again if code in _NOT_SENT else self._doubtful)

    def _give_up_hung(self) -> None:
        """Calls are in the order in which they began."""
        now = time.monotonic()
        patience = max(self._sender._hung_s, _TIMES_SLOWER * self._slowest)
        for curl, work in list(self._active.items()):
            if now - work.began < patience or self._answers < len(self._active):
                return
            self._finish(curl, self._doubtful)

    def _finish(self, curl: Any, follow: Callable[[_Work], None]) -> None:
        follow(self._put_back(curl))

    def _put_back(self, curl: Any) -> _Work:
        self._sender._multi.remove_handle(curl)
        self._sender._free.append(curl)
        return self._active.pop(curl)

    def _answered(self, status: int) -> Callable[[_Work], None]:
        if status in (200, 204):
            return self._taken
        if status == 429:
            return self._throttle
        if status in (400, 410):
            return self._ends(Outcome.GONE)
        # A frame that is too large (413) never gets through, and must not hold up the lane.
        return self._doubtful if status >= 500 or status == 413 else self._refused

    def _taken(self, work: _Work) -> None:
        self._accepted += not work.closes
        self._next_frame(work)

    def _refused(self, work: _Work) -> None:
        if work.says_farewell:
            self._next_frame(work)
        else:
            self._outcomes[work.post.connection] = Outcome.UNSENT

    def _throttle(self, work: _Work) -> None:
        if work.says_farewell:
            self._next_frame(work)
            return
        self._throttled += 1
        self._were_throttled.add(work.post.connection)
        work.throttled_since = work.throttled_since or time.monotonic()
        self._again(work)

    def _doubtful(self, work: _Work) -> None:
        """A frame is never repeated; a deletion may be, and must be: who is not closed would wait in vain."""
        if work.closes:
            self._again(work)
        elif work.says_farewell:
            self._next_frame(work)
        else:
            self._outcomes[work.post.connection] = Outcome.UNKNOWN

    def _next_frame(self, work: _Work) -> None:
        work.sent += 1
        work.tries, work.throttled_since = 0, 0.0
        if work.sent == len(work.post.frames):
            self._outcomes[work.post.connection] = Outcome.DELIVERED
        else:
            self._waiting.appendleft(work)

    def _again(self, work: _Work) -> None:
        work.tries += 1
        longest = min(_BACKOFF_S[1], _BACKOFF_S[0] * 2**work.tries)
        work.not_before = time.monotonic() + random.uniform(longest / 2, longest)  # noqa: S311
        self._waiting.append(work)

    def _ends(self, outcome: Outcome) -> Callable[[_Work], None]:
        def end(work: _Work) -> None:
            self._outcomes[work.post.connection] = outcome

        return end
