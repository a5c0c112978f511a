"""A stand-in for AWS's @connections that records what it is sent and answers as a test says."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import msgspec


class _Server(ThreadingHTTPServer):
    request_queue_size = 256


class RecordingConnections:
    """`frames(connection)`: the JSON texts it was sent; `answers[connection]`: a status, or a function of the body.

    So many of the next deletions as `refused_closings` says are answered 500.
    """

    def __init__(self) -> None:
        self.answers: dict[str, int | Callable[[str], int]] = {}
        self.closed: list[str] = []
        self.refused_closings = 0
        self._bodies: dict[str, list[str]] = defaultdict(list)
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/local"

    def frames(self, connection: str) -> list[dict[str, Any]]:
        lines = (line for body in self._bodies[connection] for line in body.split("\n"))
        return [msgspec.json.decode(line) for line in lines]

    def posts(self, connection: str) -> int:
        return len(self._bodies[connection])

    def offsets(self, connection: str, channel: str) -> list[int]:
        """Offsets of the publications that the connection got, recovered ones included, in order."""
        found: list[int] = []
        for frame in self.frames(connection):
            reply, push = _member(frame, "subscribe"), _member(frame, "push")
            found += [publication["offset"] for publication in reply.get("publications", [])]
            if push.get("channel") == channel and "pub" in push:
                found.append(push["pub"]["offset"])
        return found

    def pushes(self, connection: str, kind: str) -> list[dict[str, Any]]:
        return [push[kind] for frame in self.frames(connection) if kind in (push := _member(frame, "push"))]

    def forget(self) -> None:
        self._bodies.clear()
        self.closed.clear()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, connection: str, body: str) -> int:
        answer = self.answers.get(connection, 200)
        status = answer(body) if callable(answer) else answer
        if status == 200:
            self._bodies[connection].append(body)
        return status

    def _handler(recorder) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                connection = unquote(self.path.rsplit("/", 1)[1])
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._reply(recorder._answer(connection, body))

            def do_DELETE(self) -> None:
                if recorder.refused_closings:
                    recorder.refused_closings -= 1
                    self._reply(500)
                    return
                recorder.closed.append(unquote(self.path.rsplit("/", 1)[1]))
                self._reply(204)

            def _reply(self, status: int) -> None:
                self.send_response(status)
                if status != 204:
                    self.send_header("content-length", "0")
                self.end_headers()

        return Handler


def hanging(seconds: float) -> Callable[[str], int]:
    """An answer that comes too late."""

    def answer(body: str) -> int:
        time.sleep(seconds)
        return 200

    return answer


def _member(frame: dict[str, Any], name: str) -> dict[str, Any]:
    found = frame.get(name, {})
    return found if isinstance(found, dict) else {}
