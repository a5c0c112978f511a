"""A real HTTP server that publishes whatever a test says in place of a project's signing keys."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class JwksServer:
    """`keys` are published; `body`, `status` and `is_broken` spoil the answer; `asked` counts the requests."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.body: bytes | None = None
        self.status = 200
        self.is_broken = False
        self.asked = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                server.asked += 1
                found = self.path == "/auth/v1/.well-known/jwks.json"
                body = server.body if server.body is not None else json.dumps({"keys": server.keys}).encode()
                self.send_response(server.status if found else 404)
                self.send_header("location", "/auth/v1/elsewhere")
                self.send_header("content-length", str(len(body) + 10 * server.is_broken))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def public_jwk(private: PrivateKey, kid: str, **members: object) -> dict[str, Any]:
    """The public half as Supabase publishes it; `members` are replaced or added."""
    public = private.public_key()
    text = RSAAlgorithm.to_jwk(public) if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(public)
    algorithm = "RS256" if isinstance(public, rsa.RSAPublicKey) else "ES256"
    return {**json.loads(text), "alg": algorithm, "kid": kid, "use": "sig", "key_ops": ["verify"], **members}


def signed(claims: dict[str, Any], private: PrivateKey, kid: str, algorithm: str = "ES256") -> str:
    return jwt.encode(claims, private, algorithm, headers={"kid": kid})
