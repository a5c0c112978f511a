"""The bucket: the few S3 calls that files need, signed by ourselves, without boto3."""

import base64
import time
from collections.abc import Callable, Mapping
from typing import BinaryIO
from urllib.parse import quote
from xml.etree import ElementTree

from shared.aws.credentials import Credentials
from shared.aws.http import HttpClient, Reply
from shared.aws.sigv4 import Signer, sha256_hex
from shared.errors import Internal, Unavailable
from shared.files.model import Copied, StoredObject
from shared.settings import Settings

_EMPTY = sha256_hex(b"")


class ObjectChanged(Exception):
    """The object is not the one that was looked at before: gone, or other bytes."""


class Bucket:
    """One bucket; keys come from `TenantScope.object_key`."""

    def __init__(
        self, name: str, base_url: str, signer: Signer, http: HttpClient, now: Callable[[], float] = time.time
    ) -> None:
        self.signer = signer
        self.now = now
        self._name = name
        self._base_url = base_url
        self._http = http

    @classmethod
    def from_settings(cls, settings: Settings, timeout_s: float) -> "Bucket":
        """The bucket that the settings name; credentials come from the environment."""
        region, name = settings.aws_region, settings.files_bucket
        base_url = f"https://{name}.s3.{region}.amazonaws.com"
        if settings.aws_endpoint_url_s3:
            base_url = f"{settings.aws_endpoint_url_s3.rstrip('/')}/{name}"
        return cls(name, base_url, Signer(Credentials.from_env(), region, "s3"), HttpClient(timeout_s))

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

    def url(self, key: str) -> str:
        return f"{self._base_url}/{quote(key, safe='/~')}"

    def head(self, key: str) -> StoredObject | None:
        """What is stored there; None when nothing is."""
        reply = self.send("HEAD", key, {"x-amz-checksum-mode": "ENABLED"})
        if reply.status == 404:
            return None
        headers = accepted(reply).headers
        return StoredObject(
            headers["etag"].strip('"'),
            int(headers["content-length"]),
            headers.get("content-type", ""),
            _whole_checksum(headers),
        )

    def copy(self, source: str, target: str, if_match: str) -> Copied:
        """Copies within the bucket; ObjectChanged unless `source` has the ETag `if_match`."""
        asked = {
            "x-amz-copy-source": quote(f"{self._name}/{source}", safe="/~"),
            "x-amz-copy-source-if-match": f'"{if_match}"',
            "x-amz-checksum-algorithm": "SHA256",
        }
        reply = self.send("PUT", target, asked)
        if reply.status in (404, 412):
            raise ObjectChanged(source)
        # S3 answers 200 before it copies; a failure then stands in the body.
        answer = answer_of(accepted(reply), "CopyObjectResult")
        return Copied(answer["ETag"].strip('"'), base64.b64decode(answer["ChecksumSHA256"]).hex())

    def download(self, key: str, if_match: str, target: BinaryIO) -> None:
        """Writes the bytes to `target`; ObjectChanged when the ETag is not `if_match` any more."""
        reply = self.send("GET", key, {"if-match": f'"{if_match}"'}, sink=target.write)
        if reply.status in (404, 412):
            raise ObjectChanged(key)
        accepted(reply)

    def read(self, key: str) -> bytes | None:
        """A small object's bytes; None when there is none."""
        reply = self.send("GET", key)
        return None if reply.status == 404 else accepted(reply).body

    def write(self, key: str, body: bytes, content_type: str) -> None:
        accepted(self.send("PUT", key, {"content-type": content_type}, body))

    def delete(self, key: str) -> None:
        """Deletes it; deleting nothing is fine."""
        accepted(self.send("DELETE", key))

    def send(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        query: str = "",
        sink: Callable[[bytes], object] | None = None,
    ) -> Reply:
        """One signed call; `query` encoded. Raises Unavailable without an answer or with a 5xx."""
        url = self.url(key) + (f"?{query}" if query else "")
        digest = sha256_hex(body) if body else _EMPTY
        signed = self.signer.headers(method, url, headers or {}, digest, self.now())
        return self._http.request(method, url, signed, body, sink)


def accepted(reply: Reply) -> Reply:
    """The reply, if it is a success; S3's refusals are our mistakes, so they are Internal with S3's code."""
    if reply.status >= 300:
        raise Internal(f"S3 answered {reply.status} {_error_code(reply.body)}".rstrip())
    return reply


def answer_of(reply: Reply, root: str) -> dict[str, str]:
    """The texts of the children of an XML answer's root element; an error in a 200 answer is Unavailable."""
    document = parsed(reply.body)
    if _local_name(document) != root:
        raise Unavailable(f"S3 gave up: {_error_code(reply.body)}")
    return texts_of(document)


def parsed(body: bytes) -> ElementTree.Element:
    """S3's own XML, which nobody else writes."""
    return ElementTree.fromstring(body)  # noqa: S314


def texts_of(element: ElementTree.Element) -> dict[str, str]:
    """Local name → text, of the children."""
    return {_local_name(child): child.text or "" for child in element}


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _error_code(body: bytes) -> str:
    try:
        return texts_of(parsed(body)).get("Code", "") if body else ""
    except ElementTree.ParseError:
        return ""


def _whole_checksum(headers: Mapping[str, str]) -> str:
    # A multipart upload's checksum is one of its parts' checksums ("...-3"), not of the bytes.
    checksum = headers.get("x-amz-checksum-sha256", "")
    return "" if "-" in checksum else base64.b64decode(checksum).hex()
