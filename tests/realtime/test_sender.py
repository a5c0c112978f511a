"""What the sender does on the wire, against servers that misbehave."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from shared.aws.credentials import Credentials
from shared.aws.sigv4 import Signer
from shared.realtime.sender import Outcome, Post, Sender
from tests.support.connections import RecordingConnections


def sender(url: str, timeout_ms: int = 500) -> Sender:
    return Sender(url, Signer(Credentials("a", "b"), "us-east-1", "execute-api"), concurrency=8, timeout_ms=timeout_ms)


def soon() -> float:
    return time.monotonic() + 5


class _HangsUp(socketserver.StreamRequestHandler):
    """Answers the first request of a connection, and closes without a word after the second."""

    def handle(self) -> None:
        for answered in (True, False):
            length = 0
            while (line := self.rfile.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.server.bodies.append(self.rfile.read(length))  # type: ignore[attr-defined]
            if answered:
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


@contextmanager
def hanging_up() -> Iterator[tuple[str, list[bytes]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _HangsUp) as server:
        server.daemon_threads = True
        server.bodies = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", server.bodies  # type: ignore[attr-defined]
        server.shutdown()


def test_a_kept_connection_that_dies_unanswered_is_not_sent_to_again() -> None:
    with hanging_up() as (url, bodies):
        posts = sender(url)
        assert posts.post([Post("c", [b"first"])], soon()).outcomes == {"c": Outcome.DELIVERED}
        assert posts.post([Post("c", [b"second"])], soon()).outcomes == {"c": Outcome.UNKNOWN}
    assert bodies == [b"first", b"second"]


def test_frames_of_one_connection_follow_each_other(sent: RecordingConnections) -> None:
    frames = [f'{{"n":{i}}}'.encode() for i in range(5)]
    sender(sent.url).post([Post("c", frames)], soon())
    assert sent.frames("c") == [{"n": i} for i in range(5)]


def test_a_server_that_is_not_there_is_tried_until_the_deadline() -> None:
    with hanging_up() as (url, _):
        pass
    outcomes = sender(url).post([Post("c", [b"x"])], time.monotonic() + 0.1).outcomes
    assert outcomes == {"c": Outcome.UNSENT}


def test_nothing_begins_after_the_deadline(sent: RecordingConnections) -> None:
    outcomes = sender(sent.url).post([Post("c", [b"{}"])], time.monotonic() - 1).outcomes
    assert outcomes == {"c": Outcome.UNSENT}
    assert sent.posts("c") == 0


def test_a_refusal_before_anything_was_done_is_not_taken_for_a_dead_connection(sent: RecordingConnections) -> None:
    sent.answers["c"] = 403
    assert sender(sent.url).post([Post("c", [b"{}"])], soon()).outcomes == {"c": Outcome.UNSENT}


def test_a_socket_that_could_not_be_closed_is_closed_again(sent: RecordingConnections) -> None:
    """Else its client would go on waiting for what it will not be sent."""
    sent.refused_closings = 2
    sender(sent.url).close(["c"])
    assert sent.closed == ["c"]
    assert sent.refused_closings == 0
