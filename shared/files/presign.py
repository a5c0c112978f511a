"""URLs that let a client move bytes to and from S3 itself, each for exactly one thing and a short time."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from shared.files.objects import Bucket

_DOWNLOAD_SECONDS: Final = 300
# Types that a browser shows without running anything; others are sent as bytes.
_SAFE_TYPES: Final = frozenset(
    (
        "application/json",
        "application/pdf",
        "application/zip",
        "text/csv",
        "text/plain",
        "text/tab-separated-values",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
    )
)
_SAFE_FAMILIES: Final = ("application/vnd.openxmlformats-officedocument.", "audio/", "video/")


@dataclass(frozen=True)
class SignedRequest:
    """A request for a client to make within `seconds`, until `expires_at` (unix s), with `headers` as they are."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: int
    seconds: int


def single_upload(bucket: Bucket, key: str, content_type: str, size: int, sha256: str, seconds: int) -> SignedRequest:
    """One PUT of exactly `size` bytes, possible once; S3 checks `sha256` (hex) unless it is empty."""
    headers = {"content-type": content_type, "if-none-match": "*"}
    if sha256:
        headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
    # Signed but not listed: HTTP clients set it themselves, and browsers forbid to.
    return _signed(bucket, "PUT", key, headers, seconds, unlisted={"content-length": str(size)})


def part_upload(bucket: Bucket, key: str, upload_id: str, part: int, seconds: int) -> SignedRequest:
    """One PUT of one part of a multipart upload."""
    return _signed(bucket, "PUT", key, {}, seconds, {"partNumber": str(part), "uploadId": upload_id})


def download(bucket: Bucket, key: str, name: str, content_type: str) -> SignedRequest:
    """A GET that saves the bytes under the file's own name and never renders them as a page."""
    shown = {
        "response-content-disposition": attachment(name),
        "response-content-type": _safe_type(content_type),
        "response-cache-control": "private, max-age=0, no-store",
    }
    return _signed(bucket, "GET", key, {}, _DOWNLOAD_SECONDS, shown)


def attachment(name: str) -> str:
    """A Content-Disposition for any Unicode name (RFC 6266), with an ASCII fallback."""
    plain = "".join(character if _is_plain(character) else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _is_plain(character: str) -> bool:
    return " " <= character <= "~" and character not in '"\\%'


def _safe_type(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return kind if kind in _SAFE_TYPES or kind.startswith(_SAFE_FAMILIES) else "application/octet-stream"


def _signed(
    bucket: Bucket,
    method: str,
    key: str,
    headers: Mapping[str, str],
    seconds: int,
    query: Mapping[str, str] | None = None,
    unlisted: Mapping[str, str] | None = None,
) -> SignedRequest:
    now = bucket.now()
    signed_headers = {**headers, **(unlisted or {})}
    url = bucket.signer.presign(method, bucket.url(key), signed_headers, seconds, query or {}, now)
    return SignedRequest(method, url, headers, int(now) + seconds, seconds)
