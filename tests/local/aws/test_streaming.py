"""`aws-chunked` uploads, as SDKs send streams."""

import base64
import hashlib
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest
from multidict import CIMultiDict

from local.aws import ThreadedAws, signatures
from local.aws.signatures import ALGORITHM, Scope
from tests.local.aws.answers import refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = b"0123456789" * 10_000
CRC32 = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Stream:
    """Builds a chunked PUT of `key`, signed with the server's keys as an SDK would."""

    def __init__(self, aws: ThreadedAws, bucket: str, payload: str, trailer: str = "") -> None:
        self.stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.scope = Scope(aws.access_key, self.stamp[:8], aws.region, "s3")
        self.key = self.scope.signing_key(aws.secret_key)
        self.url = f"{aws.s3_url}/{bucket}/key"
        self.headers = {
            "content-encoding": "aws-chunked",
            "host": aws.s3_url.removeprefix("http://"),
            "x-amz-content-sha256": payload,
            "x-amz-date": self.stamp,
            "x-amz-decoded-content-length": str(len(DATA)),
            **({"x-amz-trailer": trailer} if trailer else {}),
        }
        canonical = signatures.canonical_request(
            "PUT", f"/{bucket}/key", "", CIMultiDict(self.headers), sorted(self.headers), payload
        )
        self.signature = self._sign(signatures.string_to_sign(canonical, self.stamp, self.scope))
        credential = f"{aws.access_key}/{self.scope}"
        self.headers["authorization"] = (
            f"{ALGORITHM} Credential={credential},"
            f"SignedHeaders={';'.join(sorted(self.headers))},Signature={self.signature}"
        )

    def signed_chunk(self, data: bytes) -> bytes:
        digests = f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(data).hexdigest()}"
        self.signature = self._chained("PAYLOAD", digests)
        return f"{len(data):x};chunk-signature={self.signature}\r\n".encode() + data + b"\r\n"

    def signed_trailer(self, line: str) -> bytes:
        self.signature = self._chained("TRAILER", hashlib.sha256(f"{line}\n".encode()).hexdigest())
        return f"{line}\r\nx-amz-trailer-signature:{self.signature}\r\n\r\n".encode()

    def _chained(self, kind: str, digests: str) -> str:
        return self._sign(f"{ALGORITHM}-{kind}\n{self.stamp}\n{self.scope}\n{self.signature}\n{digests}")

    def _sign(self, text: str) -> str:
        return signatures.signature(self.key, text)


def signed_chunks(aws: ThreadedAws, bucket: str) -> tuple[Stream, bytes]:
    stream = Stream(aws, bucket, SIGNED)
    body = b"".join(stream.signed_chunk(part) for part in (DATA[:65_536], DATA[65_536:], b""))
    return stream, body + b"\r\n"


def signed_chunks_and_trailer(aws: ThreadedAws, bucket: str) -> tuple[Stream, bytes]:
    stream = Stream(aws, bucket, f"{SIGNED}-TRAILER", "x-amz-checksum-crc32")
    body = stream.signed_chunk(DATA) + stream.signed_chunk(b"").removesuffix(b"\r\n")
    return stream, body + stream.signed_trailer(f"x-amz-checksum-crc32:{CRC32}")


def unsigned_chunks(aws: ThreadedAws, bucket: str) -> tuple[Stream, bytes]:
    stream = Stream(aws, bucket, UNSIGNED_TRAILER, "x-amz-checksum-crc32")
    head = f"{len(DATA):x}\r\n".encode()
    return stream, head + DATA + f"\r\n0\r\nx-amz-checksum-crc32:{CRC32}\r\n\r\n".encode()


Build = Callable[[ThreadedAws, str], tuple[Stream, bytes]]


@pytest.mark.parametrize("build", [signed_chunks, signed_chunks_and_trailer, unsigned_chunks])
def test_the_bytes_alone_are_stored(
    aws: ThreadedAws, s3: "S3Client", http: httpx.Client, bucket: str, build: Build
) -> None:
    stream, body = build(aws, bucket)
    answer = http.put(stream.url, content=body, headers=stream.headers)
    stored = s3.get_object(Bucket=bucket, Key="key")
    assert answer.status_code == 200
    assert stored["Body"].read() == DATA
    assert "ContentEncoding" not in stored


@pytest.mark.parametrize("build", [signed_chunks, signed_chunks_and_trailer])
def test_a_byte_changed_on_the_way_breaks_a_chunks_signature(
    aws: ThreadedAws, http: httpx.Client, bucket: str, build: Build
) -> None:
    stream, body = build(aws, bucket)
    answer = http.put(stream.url, content=body.replace(b"0123", b"0124", 1), headers=stream.headers)
    assert refusal(answer) == (403, "SignatureDoesNotMatch")


def test_a_byte_changed_on_the_way_breaks_the_trailing_checksum(
    aws: ThreadedAws, http: httpx.Client, bucket: str
) -> None:
    stream, body = unsigned_chunks(aws, bucket)
    answer = http.put(stream.url, content=body.replace(b"0123", b"0124", 1), headers=stream.headers)
    assert refusal(answer) == (400, "BadDigest")


def test_a_changed_trailer_breaks_its_signature(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    stream, body = signed_chunks_and_trailer(aws, bucket)
    answer = http.put(stream.url, content=body.replace(CRC32.encode(), b"AAAAAA=="), headers=stream.headers)
    assert refusal(answer) == (403, "SignatureDoesNotMatch")


def test_a_missing_trailer_is_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    stream, body = unsigned_chunks(aws, bucket)
    cut = body.replace(f"x-amz-checksum-crc32:{CRC32}\r\n".encode(), b"")
    assert refusal(http.put(stream.url, content=cut, headers=stream.headers)) == (400, "MalformedTrailerError")


@pytest.mark.parametrize("length", [100, len(DATA) - 1])
def test_a_cut_body_is_refused(aws: ThreadedAws, http: httpx.Client, bucket: str, length: int) -> None:
    stream, body = unsigned_chunks(aws, bucket)
    answer = http.put(stream.url, content=body[:length], headers=stream.headers)
    assert refusal(answer) == (400, "IncompleteBody")


def test_another_length_than_announced_is_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    stream, _ = unsigned_chunks(aws, bucket)
    body = f"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:{CRC32}\r\n\r\n".encode()
    assert refusal(http.put(stream.url, content=body, headers=stream.headers)) == (400, "IncompleteBody")
