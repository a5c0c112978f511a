"""An HTTP server that does to each request what a test says, to see what the client does about it."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """What the client sent; header names are lower case."""

    path: str
    headers: dict[str, str]
    command: Any


Behaviour = Callable[[socket.socket], bool]
"""Answers on the socket; returns whether the connection stays open."""


def answer(status: int, body: object, headers: Sequence[tuple[str, str]] = (), *, keep: bool = True) -> Behaviour:
    """A complete response; a body that is no bytes is sent as JSON."""

    def behave(sock: socket.socket) -> bool:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(payload)}", *(f"{k}: {v}" for k, v in headers)]
        sock.sendall("\r\n".join([*lines, "", ""]).encode() + payload)
        return keep

    return behave


def result(value: object, headers: Sequence[tuple[str, str]] = (), *, keep: bool = True) -> Behaviour:
    return answer(200, {"result": value}, headers, keep=keep)


def drop(_: socket.socket) -> bool:
    """Closes without a word."""
    return False


def silence(sock: socket.socket) -> bool:
    """Says nothing until the client leaves."""
    sock.recv(1)
    return False


def trickle(sock: socket.socket) -> bool:
    """A header byte now and then, for ever."""
    stop = threading.Event()
    with contextlib.suppress(OSError):
        sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not stop.wait(0.02):
            sock.sendall(b"x")
    return False


def half(sock: socket.socket) -> bool:
    """A response that ends in the middle of its body."""
    sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"result":')
    return False


class MisbehavingServer:
    """Behaves as listed, one item a request, and then answers OK; `requests` and `connections` say what came."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._closed = threading.Semaphore(0)
        self._open: list[socket.socket] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    @property
    def commands(self) -> list[Any]:
        return [request.command for request in self.requests]

    def wait_closed(self) -> None:
        """Until the server's side of one more connection is closed."""
        assert self._closed.acquire(timeout=10)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def _accept(self) -> None:
        workers = []
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self.connections += 1
                self._open.append(sock)
                workers.append(threading.Thread(target=self._serve, args=(sock,)))
                workers[-1].start()
        for worker in workers:
            worker.join(10)

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as stream, contextlib.suppress(OSError):
            while request := _read(stream):
                self.requests.append(request)
                behave = self._behaviours.pop(0) if self._behaviours else result("OK")
                if not behave(sock):
                    break
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._closed.release()


def _read(stream: Any) -> Request | None:
    line = stream.readline()
    if not line:
        return None
    headers = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    command = json.loads(stream.read(int(headers["content-length"])))
    return Request(line.split()[1].decode(), headers, command)
