"""The HTTP client against a server that misbehaves on demand."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.aws.http import HttpClient
from shared.errors import Unavailable

Answer = Callable[[BaseHTTPRequestHandler], None]


class MoodyServer(ThreadingHTTPServer):
    """Gives its answers in order, the last one for ever, and notes what was asked over which socket."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.seen: list[tuple[str, str, bytes]] = []
        self.sockets: set[tuple[str, int]] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MoodyServer

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.command, self.path, body))
        self.server.sockets.add(self.client_address)
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_GET = do_PUT

    def log_message(self, *_: object) -> None:
        pass


def answering(status: int, body: bytes = b"") -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", '"e"')
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def breaking_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


@pytest.fixture
def server() -> Iterator[MoodyServer]:
    with MoodyServer() as moody:
        thread = threading.Thread(target=moody.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield moody
        moody.shutdown()
        thread.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(waits: list[float]) -> Iterator[HttpClient]:
    client = HttpClient(5.0, sleep=waits.append)
    yield client
    client.close()


def test_a_connection_is_used_again(server: MoodyServer, client: HttpClient) -> None:
    server.answers = [answering(200, b"one")]
    first = client.request("PUT", server.url + "/a?b=c", {}, b"body")
    client.request("GET", server.url, {})
    assert (first.status, first.body, first.headers["etag"]) == (200, b"one", '"e"')
    assert server.seen == [("PUT", "/a?b=c", b"body"), ("GET", "/", b"")]
    assert len(server.sockets) == 1


def test_a_lost_connection_and_a_server_error_are_tried_again(
    server: MoodyServer, client: HttpClient, waits: list[float]
) -> None:
    server.answers = [hanging_up, answering(503), answering(200, b"at last")]
    assert client.request("GET", server.url, {}).body == b"at last"
    assert waits == [0.1, 0.2]


def test_three_server_errors_are_unavailable(server: MoodyServer, client: HttpClient) -> None:
    server.answers = [answering(500)]
    with pytest.raises(Unavailable, match="answered 500"):
        client.request("GET", server.url, {})
    assert len(server.seen) == 3


def test_a_refusal_is_an_answer(server: MoodyServer, client: HttpClient) -> None:
    server.answers = [answering(412, b"<Error/>")]
    assert client.request("GET", server.url, {}).status == 412
    assert len(server.seen) == 1


def test_nobody_listening_is_unavailable(client: HttpClient) -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        client.request("GET", "http://127.0.0.1:9/", {})


def test_a_silent_server_is_given_up(server: MoodyServer) -> None:
    release = threading.Event()
    server.answers = [lambda handler: hanging_up(handler) if release.wait(10) else None]
    client = HttpClient(0.05, sleep=lambda _: None)
    with pytest.raises(Unavailable, match="did not answer"):
        client.request("GET", server.url, {})
    release.set()


def test_a_download_goes_to_the_sink(server: MoodyServer, client: HttpClient) -> None:
    server.answers = [answering(200, b"x" * 1_000_000)]
    pieces: list[bytes] = []
    assert client.request("GET", server.url, {}, sink=pieces.append).body == b""
    assert b"".join(pieces) == b"x" * 1_000_000


def test_a_download_that_breaks_off_is_not_taken_for_the_whole(server: MoodyServer, client: HttpClient) -> None:
    server.answers = [breaking_off]
    pieces: list[bytes] = []
    with pytest.raises(Unavailable, match="broke off"):
        client.request("GET", server.url, {}, sink=pieces.append)
    assert len(server.seen) == 1


def test_the_body_of_a_refusal_never_reaches_the_sink(server: MoodyServer, client: HttpClient) -> None:
    server.answers = [answering(404, b"<Error/>")]
    pieces: list[bytes] = []
    assert client.request("GET", server.url, {}, sink=pieces.append).body == b"<Error/>"
    assert pieces == []
