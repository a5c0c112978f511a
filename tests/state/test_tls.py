"""TLS as Upstash has it: certificates are checked, connections are kept."""

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.state.client import Redis
from shared.state.errors import Unreachable


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"result":1}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    handshakes = 0
    context: ssl.SSLContext

    def finish_request(self, request: object, client_address: object) -> None:
        with self.context.wrap_socket(request, server_side=True) as wrapped:  # type: ignore[arg-type]
            self.handshakes += 1
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate hangs up."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[_Server]:
    made = _Server(("127.0.0.1", 0), _Handler)
    made.daemon_threads = True
    made.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.context.load_cert_chain(certificate)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def client_of(server: _Server) -> Redis:
    url = f"https://127.0.0.1:{server.server_address[1]}"
    return Redis(url, "t", timeout_ms=5000, connect_timeout_ms=5000)


def test_a_trusted_server_is_asked_over_one_connection(
    server: _Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    redis = client_of(server)
    assert [redis.call("INCR", "n") for _ in range(4)] == [1, 1, 1, 1]
    redis.close()
    assert server.handshakes == 1


def test_a_server_with_another_certificate_learns_nothing(server: _Server) -> None:
    with pytest.raises(Unreachable, match="certificate"):
        client_of(server).call("GET", "k")
