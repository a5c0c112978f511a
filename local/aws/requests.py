"""One S3 request, with its address taken apart, before anything about it is believed."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, unquote_plus

from multidict import CIMultiDict

from local.aws.refusals import Refusal

# Query parameters that make a request one about something other than the object's bytes.
_SUBRESOURCES = frozenset(
    (
        *("accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "inventory"),
        *("intelligent-tiering", "legal-hold", "lifecycle", "location", "logging", "metrics"),
        *("notification", "object-lock", "ownershipControls", "policy", "policyStatus"),
        *("publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select"),
        *("tagging", "torrent", "uploads", "versioning", "versions", "website"),
    )
)
_LONGEST_KEY = 1024


@dataclass
class S3Request:
    """`key` is decoded and empty for a bucket; `query` holds decoded pairs in the order sent."""

    method: str
    raw_path: str
    query: list[tuple[str, str]]
    headers: CIMultiDict[str]
    source_ip: str = ""
    bucket: str = ""
    key: str = ""
    params: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, method: str, target: str, headers: CIMultiDict[str], source_ip: str) -> "S3Request":
        """Of a request line's `target`, path-style: `/bucket/key?query`."""
        raw_path, _, raw_query = re.sub(r"^https?://[^/]*", "", target).partition("?")
        query = [_pair(part) for part in raw_query.split("&") if part]
        try:
            bucket, _, key = unquote(raw_path, errors="strict").removeprefix("/").partition("/")
        except UnicodeDecodeError:
            raise Refusal("InvalidURI", "Couldn't parse the specified URI.", URI=raw_path) from None
        if len(key.encode()) > _LONGEST_KEY:
            raise Refusal("KeyTooLongError", "Your key is too long", Size=str(len(key.encode())))
        return cls(method, raw_path, query, headers, source_ip, bucket, key, dict(reversed(query)))

    @property
    def canonical_path(self) -> str:
        """The path as it is signed: encoded once, whatever the client left unencoded."""
        return quote(unquote(self.raw_path), safe="/-_.~")

    @property
    def resource(self) -> str:
        return unquote(self.raw_path)

    @property
    def object_id(self) -> tuple[str, str]:
        return self.bucket, self.key

    @property
    def upload_id(self) -> str | None:
        return self.params.get("uploadId")

    @property
    def creates(self) -> str | None:
        """The event's second half when success makes an object: Put, Copy or CompleteMultipartUpload."""
        if self.method == "POST" and self.key and self.upload_id is not None:
            return "CompleteMultipartUpload"
        if self.method == "PUT" and self.is_about_object:
            return "Copy" if self.is_copy else "Put"
        return None

    @property
    def is_about_object(self) -> bool:
        """About an object itself, not one of its sub-resources."""
        return bool(self.key) and self.upload_id is None and not _SUBRESOURCES & self.params.keys()

    @property
    def reads_object(self) -> bool:
        return self.method in ("GET", "HEAD") and self.is_about_object

    @property
    def is_copy(self) -> bool:
        return self.method == "PUT" and "x-amz-copy-source" in self.headers

    @property
    def is_part(self) -> bool:
        return self.method == "PUT" and self.upload_id is not None

    @property
    def opens_upload(self) -> bool:
        return self.method == "POST" and "uploads" in self.params

    @property
    def lists_uploads(self) -> bool:
        """Or the parts of one."""
        return self.method == "GET" and ("uploads" in self.params or self.upload_id is not None)

    @property
    def is_mutation(self) -> bool:
        return bool(self.key) and self.method in ("PUT", "POST", "DELETE") and (self.is_copy or not self.is_part)

    @property
    def is_form(self) -> bool:
        """A browser's POST of a form, whose policy stands in the body."""
        content_type = self.headers.get("content-type", "")
        return self.method == "POST" and not self.key and content_type.startswith("multipart/form-data")


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote_plus(name), unquote_plus(value)
