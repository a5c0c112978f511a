"""AWS Signature Version 4 on the standard library: signing must cost microseconds and no boto3 import.

Source: "Create a signed AWS API request" in the IAM user guide. Paths are the ones sent on the wire, already
encoded; every service but S3 has them encoded once more in the canonical request.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

from shared.aws.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Proxies and clients rewrite these on the way, so a signature over them would break.
_NEVER_SIGNED = frozenset(("connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"))
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


def sha256_hex(payload: bytes) -> str:
    """The payload hash that `Signer.headers` takes: lower-case hex."""
    return hashlib.sha256(payload).hexdigest()


class Signer:
    """Signs requests to one service in one region; the derived key is kept for its day."""

    def __init__(self, credentials: Credentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._key_of_day = ("", b"")

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], payload_sha256: str, now: float
    ) -> dict[str, str]:
        """The headers to send: the given ones, date, token and `authorization`, but not `host`.

        `url` as on the wire; `payload_sha256` in hex or UNSIGNED_PAYLOAD; `now` in unix seconds.
        """
        parts, stamp = urlsplit(url), _timestamp(int(now))
        sent = {**headers, "x-amz-date": stamp, **self._required_headers(payload_sha256)}
        names, canonical = _canonical_headers({**sent, "host": _host(parts)})
        request = (
            method,
            self._path(parts.path),
            _sorted_query(parts.query),
            canonical,
            names,
            payload_sha256,
        )
        signature = self._signature("\n".join(request), stamp)
        credential = f"{self._credentials.access_key}/{self._scope(stamp)}"
        sent["authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return sent

    def presign(
        self,
        method: str,
        url: str,
        signed_headers: Mapping[str, str],
        expires: int,
        query: Mapping[str, str],
        now: float,
    ) -> str:
        """`url` (without a query) with `query` and a signature that holds for `expires` seconds from `now`.

        Whoever uses it must send `signed_headers` exactly; the payload is not signed.
        """
        parts, stamp = urlsplit(url), _timestamp(int(now))
        names, canonical = _canonical_headers({**signed_headers, "host": _host(parts)})
        encoded = _encoded_query({**query, **self._query_credentials(stamp, expires, names)})
        request = (method, self._path(parts.path), _sorted_query(encoded), canonical, names, UNSIGNED_PAYLOAD)
        return f"{url}?{encoded}&X-Amz-Signature={self._signature(chr(10).join(request), stamp)}"

    def _required_headers(self, payload_sha256: str) -> dict[str, str]:
        required = {"x-amz-content-sha256": payload_sha256} if self._service == "s3" else {}
        if self._credentials.session_token:
            required["x-amz-security-token"] = self._credentials.session_token
        return required

    def _query_credentials(self, stamp: str, expires: int, names: str) -> dict[str, str]:
        required = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._credentials.access_key}/{self._scope(stamp)}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": names,
        }
        if self._credentials.session_token:
            required["X-Amz-Security-Token"] = self._credentials.session_token
        return required

    def _path(self, path: str) -> str:
        if self._service == "s3":
            return path or "/"
        return quote(_without_dot_segments(path), safe="/~")

    def _scope(self, stamp: str) -> str:
        return f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"

    def _signature(self, canonical_request: str, stamp: str) -> str:
        digest = hashlib.sha256(canonical_request.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{stamp}\n{self._scope(stamp)}\n{digest}"
        return _hmac(self._signing_key(stamp[:8]), text).hex()

    def _signing_key(self, day: str) -> bytes:
        if self._key_of_day[0] != day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._key_of_day = (day, key)
        return self._key_of_day[1]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@lru_cache(maxsize=8)
def _timestamp(now: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _host(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].lower()
    default = f":{_DEFAULT_PORTS.get(parts.scheme, '')}"
    return host.removesuffix(default) if default != ":" else host


def _canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    kept = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    names = sorted(kept.keys() - _NEVER_SIGNED)
    return ";".join(names), "".join(f"{name}:{kept[name]}\n" for name in names)


def _encoded_query(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())


def _sorted_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _without_dot_segments(path: str) -> str:
    if "//" not in path and "/." not in path:
        return path or "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    trailing = "/" if path.endswith("/") and kept else ""
    return "/" + "/".join(kept) + trailing
