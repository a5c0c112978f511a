"""Multipart uploads: the server's side of what a client sends part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from shared.errors import Invalid
from shared.files.objects import Bucket, accepted, answer_of, parsed, texts_of


@dataclass(frozen=True)
class Part:
    """One uploaded part; `etag` without quotes, `size` in bytes."""

    number: int
    etag: str
    size: int = 0


def create(bucket: Bucket, key: str, content_type: str) -> str:
    """Opens an upload and returns its id."""
    reply = bucket.send("POST", key, {"content-type": content_type}, query="uploads=")
    return answer_of(accepted(reply), "InitiateMultipartUploadResult")["UploadId"]


def parts(bucket: Bucket, key: str, upload_id: str) -> list[Part] | None:
    """What S3 has of it, by number; None when the upload is over or was never opened."""
    found: list[Part] = []
    marker = ""
    while True:
        after = f"&part-number-marker={marker}" if marker else ""
        reply = bucket.send("GET", key, query=f"uploadId={quote(upload_id, safe='')}{after}")
        if reply.status == 404:
            return None
        found += _parts_of(accepted(reply).body)
        page = texts_of(parsed(reply.body))
        if page.get("IsTruncated") != "true":
            return found
        marker = page["NextPartNumberMarker"]


def complete(bucket: Bucket, key: str, upload_id: str, listed: Sequence[Part]) -> bool:
    """Joins the parts; False when the upload is over already. Invalid when S3 does not accept the list."""
    rows = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>" for part in listed
    )
    body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
    reply = bucket.send("POST", key, body=body, query=f"uploadId={quote(upload_id, safe='')}")
    if reply.status == 404:
        return False
    if reply.status == 400:
        raise Invalid(f"the parts do not fit: {texts_of(parsed(reply.body)).get('Code', 'refused')}")
    answer_of(accepted(reply), "CompleteMultipartUploadResult")
    return True


def abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """Drops the upload and its parts; dropping one that is over is fine."""
    reply = bucket.send("DELETE", key, query=f"uploadId={quote(upload_id, safe='')}")
    if reply.status != 404:
        accepted(reply)


def _parts_of(body: bytes) -> Iterator[Part]:
    for element in parsed(body):
        if element.tag.endswith("}Part") or element.tag == "Part":
            texts = texts_of(element)
            yield Part(int(texts["PartNumber"]), texts["ETag"].strip('"'), int(texts["Size"]))
