"""Corrects moto's answers where they differ from S3's, and its ways where a header helps."""

import re
from collections.abc import Iterable
from typing import Final

from local.aws.checksums import announced_checksums
from local.aws.requests import S3Request
from local.aws.upstream import Answer

_REQUEST_ID: Final = re.compile(rb"<RequestId>[^<]*</RequestId>")
_LOCATION: Final = re.compile(rb"<Location>[^<]*</Location>")
_PARTS: Final = re.compile(rb"(</?)ListPartsResponse\b")
_HOST_ID: Final = re.compile(rb"<HostId>[^<]*</HostId>")


def correct(request: S3Request, answer: Answer) -> None:
    """Headers that S3 does not send or moto forgets, and the part count that HEAD lacks in a multipart checksum."""
    for name in _superfluous(request):
        answer.headers.pop(name, None)
    if answer.headers.get("x-amz-version-id") == "null":
        del answer.headers["x-amz-version-id"]
    if request.method == "HEAD":
        _mark_composite(answer)
    if request.reads_object or request.creates == "Put":
        _tell_checksum_type(answer)
    if request.method != "HEAD" and answer.body == b"":
        answer.headers.pop("content-type", None)
    if request.method == "HEAD" and answer.status >= 400:
        answer.headers["content-type"] = "application/xml"
    if request.opens_upload and "x-amz-checksum-algorithm" in answer.headers:
        answer.headers["x-amz-checksum-type"] = "COMPOSITE"
    if request.creates == "CompleteMultipartUpload":
        _locate(request, answer)


def recompute_composite_checksum(request: S3Request, source: Answer) -> None:
    """A copy of a multipart object is one piece, so the parts' checksum of the source is none of it."""
    if not source.ok or "-" not in source.headers.get("etag", ""):
        return
    for algorithm in announced_checksums(source.headers):
        request.headers.setdefault("x-amz-checksum-algorithm", algorithm.upper())


def name_request(answer: Answer, request_id: str, host_id: str) -> None:
    """The same ids in moto's error document as in the headers."""
    if not answer.ok and isinstance(answer.body, bytes):
        body = _REQUEST_ID.sub(f"<RequestId>{request_id}</RequestId>".encode(), answer.body)
        answer.body = _HOST_ID.sub(f"<HostId>{host_id}</HostId>".encode(), body)


def _locate(request: S3Request, answer: Answer) -> None:
    """moto names a host of AWS; the object is here."""
    url = f"http://{request.headers.get('host', '')}{request.canonical_path}"
    answer.body = _LOCATION.sub(f"<Location>{url}</Location>".encode(), answer.text)
    answer.headers.pop("content-length", None)


def list_of_parts(listing: bytes) -> bytes:
    """By the name that S3 gives it."""
    return _PARTS.sub(rb"\1ListPartsResult", listing)


def _superfluous(request: S3Request) -> Iterable[str]:
    yield "x-amz-sdk-checksum-algorithm"
    if not request.opens_upload:
        yield "x-amz-checksum-algorithm"
    if request.method == "PUT":
        yield "last-modified"
    if request.is_copy:
        yield "etag"


def _tell_checksum_type(answer: Answer) -> None:
    if announced_checksums(answer.headers):
        answer.headers.setdefault("x-amz-checksum-type", "FULL_OBJECT")


def _mark_composite(answer: Answer) -> None:
    parts = answer.headers.get("etag", "").strip('"').partition("-")[2]
    if not parts or answer.headers.get("x-amz-checksum-type") == "FULL_OBJECT":
        return
    for algorithm, value in announced_checksums(answer.headers).items():
        if "-" not in value:
            answer.headers[f"x-amz-checksum-{algorithm}"] = f"{value}-{parts}"
            answer.headers["x-amz-checksum-type"] = "COMPOSITE"
