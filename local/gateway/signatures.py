"""Checks Signature Version 4 on `@connections`, so that a wrong signer fails here and not first on AWS."""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from local.gateway.http_messages import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<date>\d{8})/(?P<region>[^/, ]+)/(?P<service>[^/, ]+)"
    r"/aws4_request, *SignedHeaders=(?P<headers>[^, ]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_MAX_SKEW_SECONDS = 300


class BadSignature(Exception):
    """`code` is AWS's error type."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(request: Request, credentials: Mapping[str, str] | None) -> None:
    """Raises `BadSignature`. Without `credentials` (access key id → secret) any key is believed."""
    header = request.header("authorization")
    if header is None:
        raise BadSignature("MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = _AUTHORIZATION.fullmatch(header)
    timestamp = request.header("x-amz-date")
    if parts is None or timestamp is None:
        raise BadSignature("IncompleteSignatureException", "Authorization header is not a valid signature")
    if parts["service"] != "execute-api" or not timestamp.startswith(parts["date"]):
        raise BadSignature("InvalidSignatureException", "Credential should be scoped to service 'execute-api'")
    if credentials is not None:
        _check_secret(request, parts, timestamp, credentials)


def _check_secret(request: Request, parts: re.Match[str], timestamp: str, credentials: Mapping[str, str]) -> None:
    secret = credentials.get(parts["key"])
    if secret is None:
        raise BadSignature("UnrecognizedClientException", "The security token included in the request is invalid.")
    if _skew_seconds(timestamp) > _MAX_SKEW_SECONDS:
        raise BadSignature("InvalidSignatureException", f"Signature not yet current or expired: {timestamp}")
    scope = f"{parts['date']}/{parts['region']}/{parts['service']}/aws4_request"
    digest = hashlib.sha256(_canonical(request, parts["headers"].split(";")).encode("latin-1")).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    key = _signing_key(secret, parts["date"], parts["region"], parts["service"])
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, parts["signature"]):
        raise BadSignature("InvalidSignatureException", _MISMATCH)


def _skew_seconds(timestamp: str) -> float:
    try:
        return abs(time.time() - _epoch(timestamp))
    except ValueError as error:
        raise BadSignature("IncompleteSignatureException", f"X-Amz-Date is invalid: {timestamp}") from error


@lru_cache(maxsize=16)
def _epoch(timestamp: str) -> float:
    return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _canonical(request: Request, signed_headers: list[str]) -> str:
    query = sorted(parse_qsl(request.query, keep_blank_values=True))
    if "host" not in signed_headers:
        raise BadSignature("InvalidSignatureException", "'Host' must be a signed header")
    lines = [f"{name}:{' '.join((request.header(name) or '').split())}" for name in signed_headers]
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/~"),
            "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in query),
            *lines,
            "",
            ";".join(signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


@lru_cache(maxsize=16)
def _signing_key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
