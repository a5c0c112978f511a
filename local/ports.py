"""Which port is whose, and a clear word when one of them is taken."""

import errno
import socket
from dataclasses import astuple, dataclass

from local.refused import Refused

HOST = "127.0.0.1"
DEFAULT_BASE = 4000


class PortTaken(Refused):
    """The message names the port, its purpose and the way out."""


@dataclass(frozen=True)
class Ports:
    """0 stands for any free port."""

    http: int = 0
    websocket: int = 0
    supabase: int = 0
    redis: int = 0
    s3: int = 0
    sqs: int = 0

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """`base` and the five after it, in the order of the fields; all free ones for base 0."""
        return cls(*range(base, base + 6)) if base else cls()

    def check(self) -> None:
        """`PortTaken` when somebody listens there already."""
        for port, purpose in zip(
            astuple(self), ("HTTP API", "WebSocket", "Supabase", "Redis", "S3", "SQS"), strict=True
        ):
            if port and not _is_free(port):
                advice = "choose others with --port-base N (0: any free ones)"
                raise PortTaken(f"port {port} ({purpose}) is taken, perhaps by another stack: {advice}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True
