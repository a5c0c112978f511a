"""The few calls that we make ourselves to S3."""

import hashlib
import io

import pytest

from shared.errors import Internal, Invalid
from shared.files import multipart
from shared.files.multipart import Part
from shared.files.objects import Bucket, ObjectChanged
from shared.files.presign import part_upload
from tests.files.conftest import Desk

_MIB = 1 << 20


@pytest.fixture
def bucket(desk: Desk) -> Bucket:
    return desk.filing.bucket


def test_an_object_is_written_looked_at_and_read(bucket: Bucket) -> None:
    bucket.write("parsed/t/1/e.json", b"{}", "application/json")
    stored = bucket.head("parsed/t/1/e.json")
    assert stored is not None
    assert (stored.size, stored.content_type) == (2, "application/json")
    assert bucket.read("parsed/t/1/e.json") == b"{}"


def test_what_is_not_there_is_none(bucket: Bucket) -> None:
    assert bucket.head("files/t/none") is None
    assert bucket.read("files/t/none") is None
    bucket.delete("files/t/none")


def test_a_copy_is_made_of_what_was_looked_at(bucket: Bucket) -> None:
    bucket.write("quarantine/t/1", b"content", "text/csv")
    stored = bucket.head("quarantine/t/1")
    assert stored is not None
    copied = bucket.copy("quarantine/t/1", "files/t/1", stored.etag)
    target = io.BytesIO()
    bucket.download("files/t/1", copied.etag, target)
    assert copied.sha256 == hashlib.sha256(b"content").hexdigest()
    assert target.getvalue() == b"content"


def test_a_copy_of_other_bytes_is_refused(bucket: Bucket) -> None:
    bucket.write("quarantine/t/1", b"other", "text/csv")
    for source in ("quarantine/t/1", "quarantine/t/gone"):
        with pytest.raises(ObjectChanged):
            bucket.copy(source, "files/t/1", "0" * 32)
    assert bucket.head("files/t/1") is None


def test_a_download_of_other_bytes_is_refused(bucket: Bucket) -> None:
    bucket.write("files/t/1", b"other", "text/csv")
    for key in ("files/t/1", "files/t/gone"):
        with pytest.raises(ObjectChanged):
            bucket.download(key, "0" * 32, io.BytesIO())


def test_a_refusal_names_s3s_code(bucket: Bucket) -> None:
    bucket._name = "another"
    bucket._base_url += "-that-does-not-exist"
    with pytest.raises(Internal, match="NoSuchBucket"):
        bucket.write("x", b"", "text/plain")


def upload(desk: Desk, bucket: Bucket, upload_id: str, number: int, content: bytes) -> Part:
    request = part_upload(bucket, "quarantine/t/big", upload_id, number, 60)
    answer = desk.http.put(request.url, content=content)
    assert answer.status_code == 200, answer.text
    return Part(number, answer.headers["etag"].strip('"'), len(content))


def test_parts_are_listed_and_joined(desk: Desk, bucket: Bucket) -> None:
    upload_id = multipart.create(bucket, "quarantine/t/big", "text/csv")
    sent = [upload(desk, bucket, upload_id, n, content) for n, content in ((1, b"a" * 5 * _MIB), (2, b"b"))]
    assert multipart.parts(bucket, "quarantine/t/big", upload_id) == sent
    assert multipart.complete(bucket, "quarantine/t/big", upload_id, sent)
    stored = bucket.head("quarantine/t/big")
    assert stored is not None
    assert (stored.size, stored.etag.endswith("-2"), stored.sha256) == (5 * _MIB + 1, True, "")
    whole = hashlib.sha256(b"a" * 5 * _MIB + b"b").hexdigest()
    assert bucket.copy("quarantine/t/big", "files/t/big", stored.etag).sha256 == whole
    assert not multipart.complete(bucket, "quarantine/t/big", upload_id, sent)
    assert multipart.parts(bucket, "quarantine/t/big", upload_id) is None


def test_parts_that_s3_does_not_have_cannot_be_joined(desk: Desk, bucket: Bucket) -> None:
    upload_id = multipart.create(bucket, "quarantine/t/big", "text/csv")
    upload(desk, bucket, upload_id, 1, b"a")
    with pytest.raises(Invalid, match="InvalidPart"):
        multipart.complete(bucket, "quarantine/t/big", upload_id, [Part(1, "0" * 32)])


def test_an_aborted_upload_is_over(bucket: Bucket) -> None:
    upload_id = multipart.create(bucket, "quarantine/t/big", "text/csv")
    multipart.abort(bucket, "quarantine/t/big", upload_id)
    multipart.abort(bucket, "quarantine/t/big", upload_id)
    assert multipart.parts(bucket, "quarantine/t/big", upload_id) is None
