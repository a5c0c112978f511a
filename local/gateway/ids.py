"""Identifiers in the shapes API Gateway uses, because handlers put them into URLs and logs."""

import base64
import os
import re
import time

_CONNECTION_ID = re.compile(r"[A-Za-z0-9_-]{15}=")
_SHARED_TAIL = 8


def connection_id() -> str:
    """Sixteen characters of base64url with its padding, so it must be percent-encoded in a path."""
    return base64.urlsafe_b64encode(os.urandom(11)).decode()


def is_connection_id(text: str) -> bool:
    return _CONNECTION_ID.fullmatch(text) is not None


def request_id() -> str:
    return base64.urlsafe_b64encode(os.urandom(11)).decode()


def message_id(connection: str) -> str:
    """A message's id ends as its connection's id does."""
    return base64.urlsafe_b64encode(os.urandom(6)).decode() + connection[_SHARED_TAIL:]


def trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{os.urandom(12).hex()}"
