"""Signature Version 4 from the server's side: what the client should have signed, and whether it did.

Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from multidict import CIMultiDict

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """What the local stack's clients sign with; `session_token` is empty for a long-lived key."""

    access_key: str
    secret_key: str
    session_token: str = ""


@dataclass(frozen=True)
class Scope:
    """A credential's scope: `date` is YYYYMMDD."""

    access_key: str
    date: str
    region: str
    service: str

    @classmethod
    def parse(cls, credential: str) -> "Scope | None":
        """Of `key/date/region/service/aws4_request`; None when it is something else."""
        parts = credential.rsplit("/", 4)
        if len(parts) != 5 or parts[4] != "aws4_request":
            return None
        return cls(*parts[:4])

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    def signing_key(self, secret_key: str) -> bytes:
        key = f"AWS4{secret_key}".encode()
        for part in (self.date, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def canonical_query(query: Iterable[tuple[str, str]]) -> str:
    """Sorted by encoded name, then value, without the signature itself."""
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in query if name != "X-Amz-Signature")
    return "&".join(f"{name}={value}" for name, value in encoded)


def canonical_request(
    method: str, path: str, query: str, headers: CIMultiDict[str], signed: Iterable[str], payload: str
) -> str:
    """`path` and `query` are canonical already; `payload` is its hash or one of S3's keywords."""
    names = list(signed)
    lines = "".join(f"{name}:{_folded(headers, name)}\n" for name in names)
    return "\n".join((method, path, query, lines, ";".join(names), payload))


def string_to_sign(canonical: str, stamp: str, scope: Scope) -> str:
    """`stamp` is the request's time as in `X-Amz-Date`."""
    return "\n".join((ALGORITHM, stamp, str(scope), hashlib.sha256(_raw(canonical)).hexdigest()))


def signature(signing_key: bytes, text: str) -> str:
    return hmac.digest(signing_key, text.encode(), "sha256").hex()


def is_same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _raw(text: str) -> bytes:
    """Header bytes that are no UTF-8 arrive as surrogates."""
    return text.encode(errors="surrogateescape")


def _folded(headers: CIMultiDict[str], name: str) -> str:
    return ",".join(" ".join(value.split()) for value in headers.getall(name, []))


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
