"""The words of which the cases are made: requests with a default for nearly everything, and outcomes."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from tests.local.aws.beside.asking import Ask

KEY: Final = "t1/a.csv"
DATA: Final = b"a,b\n1,2\n"
LARGE: Final = b"x" * (5 << 20)
ETAG: Final = f'"{hashlib.md5(DATA).hexdigest()}"'
LONG_AGO, SOON = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2038 00:00:00 GMT"
DENIED, MISMATCH, FAILED = "403 AccessDenied", "403 SignatureDoesNotMatch", "412 PreconditionFailed"
ABSENT, ENDED, BROKEN = "404 NoSuchKey", "404 NoSuchUpload", "500 InternalError"
JOINED = '200 CompleteMultipartUploadResult ETag="28e6bae9d4046937738d65e5b925bb7f-1" Key=t1/a.csv'
COPIED = f"200 CopyObjectResult ETag={ETAG}"


def digest(algorithm: str, data: bytes = DATA) -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


# What our file function signs.
FULL: Final = {
    "content-type": "text/csv",
    "content-length": str(len(DATA)),
    "if-none-match": "*",
    "x-amz-checksum-sha256": digest("sha256"),
}


def put(
    signed: Mapping[str, str] = FULL,
    key: str = KEY,
    body: bytes = DATA,
    sent: Mapping[str, str | None] | None = None,
    forged: tuple[str, str] = ("", ""),
    age: int = 0,
) -> Ask:
    return Ask("PUT", key, signed=signed, sent=sent or {}, forged=forged, age=age, body=body)


def get(key: str = KEY, **sent: str) -> Ask:
    return Ask("GET", key, sent=_dashed(sent))


def head(key: str = KEY, **sent: str) -> Ask:
    return Ask("HEAD", key, sent=_dashed(sent))


def checksums(key: str = KEY) -> Ask:
    return Ask("HEAD", key, signed={"x-amz-checksum-mode": "ENABLED"})


def copy(source: str = f"{{bucket}}/{KEY}", **signed: str) -> Ask:
    return Ask("PUT", "clean/a.csv", signed={"x-amz-copy-source": source, **_dashed(signed)})


def open_upload(**signed: str) -> Ask:
    return Ask("POST", query={"uploads": ""}, signed=_dashed(signed))


def part(
    number: object,
    body: bytes = DATA,
    signed: Mapping[str, str] | None = None,
    sent: Mapping[str, str | None] | None = None,
    forged: tuple[str, str] = ("", ""),
) -> Ask:
    of = {"uploadId": "{upload}", "partNumber": str(number)}
    return Ask("PUT", query=of, signed=signed or {}, sent=sent or {}, forged=forged, body=body)


def join(*parts: tuple[int, str], checksum: str = "", **signed: str) -> Ask:
    """`parts` as number and ETag; `checksum` is an element for each."""
    rows = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag>{checksum}</Part>" for n, etag in parts)
    body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
    return Ask("POST", query={"uploadId": "{upload}"}, signed=_dashed(signed), body=body)


def preflight(**sent: str) -> Ask:
    return Ask("OPTIONS", sent=_dashed(sent), forged=(r"\?.*", ""))


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


LIST, ABORT = Ask("GET", query={"uploadId": "{upload}"}), Ask("DELETE", query={"uploadId": "{upload}"})
OPENED = open_upload(content_type="text/csv").gives("200 InitiateMultipartUploadResult Key=t1/a.csv")
STORED = put({"content-type": "text/csv"}).gives("200")
