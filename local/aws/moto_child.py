"""The process that holds moto: one port for S3, one for SQS, so that its memory and its crashes are its own.

Run as `python -m local.aws.moto_child HOST S3_PORT SQS_PORT [SNAPSHOT]`. It writes `{"s3": port, "sqs": port}`
to standard output once both ports answer, and ends (after saving the objects) when standard input closes,
which also happens when its parent is killed.
"""

import json
import logging
import os
import sys
import threading
from pathlib import Path

os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")

from moto.backends import SERVICE_NAMES
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from local.aws import snapshot


class _QuietHandler(MotoRequestHandler):
    """Keeps connections open, logs nothing, and leaves `Server` and `Date` to moto, which sets both."""

    protocol_version = "HTTP/1.1"

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _serve(host: str, port: int, service: SERVICE_NAMES) -> BaseWSGIServer:
    application = create_backend_app(service)
    server = make_server(host, port, application, threaded=True, request_handler=_QuietHandler)
    server.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, name=f"moto-{service}", daemon=True).start()
    return server


def main(host: str, s3_port: str, sqs_port: str, saved: str = "") -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    file = Path(saved) if saved else None
    if file is not None:
        snapshot.restore(file)
    servers = [_serve(host, int(s3_port), "s3"), _serve(host, int(sqs_port), "sqs")]
    sys.stdout.write(json.dumps({"s3": servers[0].port, "sqs": servers[1].port}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    if file is not None:
        snapshot.save(file)
    # Not sys.exit: moto's objects complain one by one when the interpreter finalises them.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
