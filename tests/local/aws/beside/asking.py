"""Requests to an S3 as data, with what they should be answered, and what in an answer tells one S3 from another."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol
from urllib.parse import quote
from xml.etree import ElementTree

import boto3
import httpx
from botocore.config import Config

from shared.aws.credentials import Credentials
from shared.aws.sigv4 import Signer

REGION: Final = "us-east-1"
KEYS: Final = Credentials("test", "test")
_SECONDS: Final = 60
_REMEMBERED: Final = re.compile(r"\{(bucket|upload|etag|part \d+)\}")
_TELLING: Final = re.compile(
    r"etag|accept-ranges|cache-control|content-(type|range|disposition|encoding)|last-modified|vary"
    r"|access-control-.*|x-amz-(checksum-.*|mp-parts-count|meta-.*|missing-meta|delete-marker|version-id)"
)
_LEAVES: Final = ("Key", "PartNumber", "Size", "ETag", "IsTruncated", "NextPartNumberMarker")


@dataclass(frozen=True)
class Server:
    """A bucket somewhere, and what answers said that later requests repeat: `{upload}`, `{etag}`, `{part 1}`."""

    url: str
    bucket: str
    http: httpx.Client
    memory: dict[str, str] = field(default_factory=dict)

    @classmethod
    def with_bucket(cls, url: str, bucket: str, http: httpx.Client) -> "Server":
        server = cls(url, bucket, http)
        server.client.create_bucket(Bucket=bucket)
        return server

    @cached_property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEYS.access_key,
            aws_secret_access_key=KEYS.secret_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def filled(self, text: str) -> str:
        return _REMEMBERED.sub(lambda found: {"bucket": self.bucket, **self.memory}[found[1]], text)

    def remember(self, answer: httpx.Response, part: str) -> None:
        if answer.is_success and (upload := re.search("<UploadId>(.+?)</UploadId>", answer.text)):
            self.memory["upload"] = upload[1]
        if "etag" in answer.headers:
            self.memory["etag"] = self.memory[f"part {part}"] = answer.headers["etag"]


class Request(Protocol):
    @property
    def shown(self) -> str: ...

    def __call__(self, server: Server) -> httpx.Response: ...


@dataclass(frozen=True)
class Step:
    """`outcome` is status and error code, `told` some headers; `differs` is what the other S3 says instead, by name."""

    request: Request
    outcome: str
    told: Mapping[str, str] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    def telling(self, **headers: str) -> "Step":
        return replace(self, told={name.replace("_", "-"): value for name, value in headers.items()})

    def elsewhere(self, outcome: str, why: str) -> "Step":
        """The other S3 gives another outcome; `why` ours is right."""
        return replace(self, differs={"": outcome}, why=why)

    def elsewhere_without(self, *headers: str, why: str) -> "Step":
        """The other S3 lacks these headers."""
        return replace(self, differs=dict.fromkeys(headers, ""), why=why)


@dataclass(frozen=True)
class Ask:
    """A presigned request: `signed` headers and `query` as promised; `sent` headers come besides or instead.

    None in `sent` holds a signed header back; `forged` replaces (by a regular expression) what the URL says;
    `age` is how many seconds ago it was signed, for a minute.
    """

    method: str
    key: str = "t1/a.csv"
    query: Mapping[str, str] = field(default_factory=dict)
    signed: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, str | None] = field(default_factory=dict)
    forged: tuple[str, str] = ("", "")
    age: int = 0
    body: bytes = b""

    def gives(self, outcome: str) -> Step:
        return Step(self, outcome)

    @property
    def shown(self) -> str:
        parts = "&".join(f"{name}={value}".rstrip("=") for name, value in self.query.items())
        conditions = {name: value for name, value in self.signed.items() if "if-" in name}
        said = ", ".join(f"{name}: {value}" for name, value in {**conditions, **self.sent}.items())
        return f"{self.method} {self.key[:24]}{parts and '?'}{parts[:40]} {said}".rstrip()

    def __call__(self, server: Server) -> httpx.Response:
        signed = {name: server.filled(value) for name, value in self.signed.items()}
        query = {name: server.filled(value) for name, value in self.query.items()}
        url = f"{server.url}/{server.bucket}" + (f"/{quote(self.key, safe='/~')}" if self.key else "")
        url = Signer(KEYS, REGION, "s3").presign(self.method, url, signed, _SECONDS, query, time.time() - self.age)
        changed = {name: value and server.filled(value) for name, value in self.sent.items()}
        headers = {name: value for name, value in {**signed, **changed}.items() if value is not None}
        # What the body has, whatever was signed.
        headers.pop("content-length", None)
        body = server.filled(self.body.decode("latin-1")).encode("latin-1")
        answer = server.http.request(self.method, re.sub(*self.forged, url), headers=headers, content=body or None)
        server.remember(answer, self.query.get("partNumber", ""))
        return answer


@dataclass(frozen=True)
class Form:
    """A browser's form for `t1/a.csv`: `signed` fields as the policy has them; `sent` come besides or instead."""

    signed: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, str | None] = field(default_factory=dict)
    conditions: tuple[list[Any], ...] = ()
    age: int = 0
    body: bytes = b""

    def gives(self, outcome: str) -> Step:
        return Step(self, outcome)

    @property
    def shown(self) -> str:
        return f"POST form {' '.join(f'{name}={value}' for name, value in self.sent.items())[:40]}".rstrip()

    def __call__(self, server: Server) -> httpx.Response:
        conditions = [*self.conditions, *({name: value} for name, value in self.signed.items())]
        form = server.client.generate_presigned_post(
            server.bucket, "t1/a.csv", dict(self.signed), conditions, _SECONDS - self.age
        )
        fields = {name: value for name, value in {**form["fields"], **self.sent}.items() if value is not None}
        return server.http.post(form["url"], data=fields, files={"file": ("a.csv", self.body)})


def seen(answer: httpx.Response) -> dict[str, str]:
    """What matters of an answer: its headers by name, status and what it says by the empty name."""
    told = {name: value for name, value in answer.headers.items() if _TELLING.fullmatch(name)}
    if "last-modified" in told:
        told["last-modified"] = "a date"
    # S3's own choice for what came without a checksum; the gate computes only those that clients send.
    if told.pop("x-amz-checksum-crc64nvme", None):
        told.pop("x-amz-checksum-type", None)
    return {"": f"{answer.status_code} {_said(answer)}".strip(), **told}


def _said(answer: httpx.Response) -> str:
    if not answer.content.startswith(b"<"):
        return answer.text[:40].encode("unicode_escape").decode()
    document = ElementTree.fromstring(answer.content)  # noqa: S314
    (root, _), *named = [(element.tag.rpartition("}")[2], element.text or "") for element in document.iter()]
    if root == "Error":
        return dict(named)["Code"]
    return " ".join([root, *sorted(f"{name}={text}" for name, text in named if name in _LEAVES)])
