"""What a signed URL allows, and all that it refuses, at a server that checks as S3 does."""

import base64
import hashlib
from collections.abc import Callable
from itertools import count

import httpx
import pytest

from local.aws import ThreadedAws
from shared.files.objects import Bucket
from shared.files.presign import SignedRequest, attachment, download, single_upload
from tests.files.conftest import Desk

CONTENT = b"name,age\nAnn,31\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bucket(desk: Desk) -> Bucket:
    return desk.filing.bucket


@pytest.fixture
def put(desk: Desk, bucket: Bucket) -> Callable[..., httpx.Response]:
    numbers = count()

    def send(content: bytes = CONTENT, sha256: str = "", **changed: str) -> httpx.Response:
        request = single_upload(bucket, f"quarantine/t/{next(numbers)}", "text/csv", len(CONTENT), sha256, 60)
        headers = {**request.headers, **changed}
        return desk.http.put(request.url, content=content, headers={k: v for k, v in headers.items() if v})

    return send


def test_the_declared_bytes_are_taken(put: Callable[..., httpx.Response]) -> None:
    assert put().status_code == 200
    assert put(sha256=DIGEST).status_code == 200


def test_an_upload_can_be_made_once(desk: Desk, bucket: Bucket) -> None:
    request = single_upload(bucket, "quarantine/t/once", "text/csv", len(CONTENT), "", 60)
    answers = [desk.http.put(request.url, content=CONTENT, headers=dict(request.headers)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]


def test_other_bytes_than_promised_are_refused(put: Callable[..., httpx.Response]) -> None:
    assert put(CONTENT + b"x").status_code == 403
    assert put(CONTENT[:-1]).status_code == 403
    assert put(CONTENT[::-1], DIGEST).status_code == 400


@pytest.mark.parametrize("header", ["content-type", "if-none-match"])
def test_signed_headers_can_be_neither_changed_nor_left_out(put: Callable[..., httpx.Response], header: str) -> None:
    assert put(**{header: "text/html"}).status_code == 403
    assert put(**{header: ""}).status_code == 403


def test_the_checksum_cannot_be_left_out(put: Callable[..., httpx.Response]) -> None:
    assert put(sha256=DIGEST, **{"x-amz-checksum-sha256": ""}).status_code == 403


def test_content_length_is_signed_but_not_listed(bucket: Bucket) -> None:
    request = single_upload(bucket, "quarantine/t/x", "text/csv", 1, DIGEST, 60)
    assert "content-length" in request.url
    assert dict(request.headers) == {
        "content-type": "text/csv",
        "if-none-match": "*",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(DIGEST)).decode(),
    }


def test_an_url_for_one_key_opens_no_other(desk: Desk, bucket: Bucket) -> None:
    request = single_upload(bucket, "quarantine/acme/1", "text/csv", len(CONTENT), "", 60)
    stolen = request.url.replace("/acme/", "/globex/")
    assert desk.http.put(stolen, content=CONTENT, headers=dict(request.headers)).status_code == 403
    assert desk.http.get(request.url).status_code == 403


def test_an_expired_url_is_refused(desk: Desk, bucket: Bucket, aws: ThreadedAws) -> None:
    request = single_upload(bucket, "quarantine/t/late", "text/csv", len(CONTENT), "", 60)
    before = aws.now
    aws.now = lambda: before() + 61
    try:
        answer = desk.http.put(request.url, content=CONTENT, headers=dict(request.headers))
    finally:
        aws.now = before
    assert answer.status_code == 403
    assert "expired" in answer.text


def fetched(desk: Desk, request: SignedRequest) -> httpx.Response:
    return desk.http.get(request.url, headers=dict(request.headers))


def test_a_download_is_saved_under_its_name_and_never_rendered(desk: Desk, bucket: Bucket) -> None:
    bucket.write("files/t/1", b"<script>", "text/html")
    answer = fetched(desk, download(bucket, "files/t/1", 'Größe "1".html', "text/html; charset=utf-8"))
    assert (answer.status_code, answer.content) == (200, b"<script>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e _1_.html\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22.html"
    )


@pytest.mark.parametrize("kind", ["image/png", "text/csv", "application/pdf", "video/mp4"])
def test_harmless_types_keep_their_type(desk: Desk, bucket: Bucket, kind: str) -> None:
    bucket.write("files/t/2", b"x", "application/octet-stream")
    answer = fetched(desk, download(bucket, "files/t/2", "x", kind))
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "application/xhtml+xml", "text/javascript"])
def test_types_that_run_are_sent_as_bytes(bucket: Bucket, kind: str) -> None:
    assert "response-content-type=application%2Foctet-stream" in download(bucket, "files/t/3", "x", kind).url


def test_a_name_cannot_break_out_of_its_header() -> None:
    assert "\n" not in attachment('a"\r\nSet-Cookie: x')
    assert attachment('a"\r\nb').startswith('attachment; filename="a___b"; filename*=')
