"""Presigned GET and HEAD."""

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from tests.local.aws.answers import refusal
from tests.local.aws.conftest import ServerClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = bytes(range(256)) * 8
ODD_KEYS = ["a b+c%2F/ü.txt", "x//y", "/lead", "q?x&y=z", "a%20b", "~(x)!*'", "日本/語.csv", "trailing/"]


@pytest.fixture
def url(s3: "S3Client", bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=DATA, ContentType="text/csv")
    return s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a.csv"}, ExpiresIn=60)


def test_it_reads(http: httpx.Client, url: str) -> None:
    answer = http.get(url)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["accept-ranges"] == "bytes"


def test_an_expired_url_is_refused(http: httpx.Client, url: str, clock: ServerClock) -> None:
    clock.ahead = 62
    assert refusal(http.get(url)) == (403, "AccessDenied")


def test_a_get_url_does_not_answer_head(http: httpx.Client, url: str) -> None:
    answer = http.head(url)
    assert (answer.status_code, answer.content) == (403, b"")


def test_a_head_url_answers_head(s3: "S3Client", http: httpx.Client, bucket: str, url: str) -> None:
    url = s3.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "a.csv"})
    answer = http.head(url)
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(DATA)))


def test_a_get_url_does_not_write(http: httpx.Client, url: str) -> None:
    assert refusal(http.put(url, content=b"x")) == (403, "SignatureDoesNotMatch")


def test_ranges_are_served(http: httpx.Client, url: str) -> None:
    answer = http.get(url, headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, DATA[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(DATA)}"


def test_a_range_behind_the_end_is_refused(http: httpx.Client, url: str) -> None:
    assert refusal(http.get(url, headers={"range": "bytes=99999-"})) == (416, "InvalidRange")


def test_conditions_hold(http: httpx.Client, url: str) -> None:
    etag = http.get(url).headers["etag"]
    assert http.get(url, headers={"if-none-match": etag}).status_code == 304
    assert refusal(http.get(url, headers={"if-match": '"other"'})) == (412, "PreconditionFailed")


def test_signed_response_headers_replace_the_stored_ones(
    s3: "S3Client", http: httpx.Client, bucket: str, url: str
) -> None:
    disposition = "attachment; filename=\"a_.csv\"; filename*=UTF-8''a%C3%BC+1.csv"
    params = {
        "Bucket": bucket,
        "Key": "a.csv",
        "ResponseContentDisposition": disposition,
        "ResponseContentType": "application/octet-stream",
        "ResponseCacheControl": "no-store",
    }
    answer = http.get(s3.generate_presigned_url("get_object", Params=params))
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"


def test_response_headers_that_were_not_signed_are_refused(http: httpx.Client, url: str) -> None:
    assert refusal(http.get(f"{url}&response-content-type=text%2Fhtml")) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_every_key_survives_the_way(s3: "S3Client", http: httpx.Client, bucket: str, key: str) -> None:
    params = {"Bucket": bucket, "Key": key}
    assert http.put(s3.generate_presigned_url("put_object", Params=params), content=b"x").status_code == 200
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert http.get(s3.generate_presigned_url("get_object", Params=params)).content == b"x"


def test_a_path_that_is_no_utf_8_is_refused(http: httpx.Client, url: str) -> None:
    assert refusal(http.get(url.replace("a.csv", "%FF"))) == (400, "InvalidURI")


def test_a_client_that_leaves_early_disturbs_nobody(
    s3: "S3Client", http: httpx.Client, bucket: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    s3.put_object(Bucket=bucket, Key="large", Body=bytes(8 * 1024 * 1024))
    large = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "large"})
    with http.stream("GET", large) as answer:
        assert answer.status_code == 200
    address = urlsplit(large)
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    assert http.get(url).content == DATA
    assert [record.message for record in caplog.records if record.name == "aiohttp.server"] == []


def test_an_absent_object_is_not_found(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "absent"})
    answer = http.get(url)
    assert refusal(answer) == (404, "NoSuchKey")
    assert answer.headers["x-amz-request-id"] in answer.text


def test_stored_encodings_are_not_undone(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.gz", Body=b"not really gzip", ContentEncoding="gzip")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a.gz"})
    with http.stream("GET", url) as answer:
        assert b"".join(answer.iter_raw()) == b"not really gzip"
        assert answer.headers["content-encoding"] == "gzip"
