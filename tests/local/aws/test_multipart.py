"""Multipart uploads: what moto stumbles over (facts: files-sessions §5.2)."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.local.aws.answers import refusal, refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FIRST, LAST = b"x" * (5 * 1024 * 1024), b"the end"


class Upload:
    """An open upload of `k`."""

    def __init__(self, s3: "S3Client", bucket: str, **options: Any) -> None:
        self._s3 = s3
        opened = s3.create_multipart_upload(Bucket=bucket, Key="k", **options)
        self.where: Any = {"Bucket": bucket, "Key": "k", "UploadId": opened["UploadId"]}

    def part(self, number: int, data: bytes, **options: Any) -> Any:
        put = self._s3.upload_part(**self.where, PartNumber=number, Body=data, **options)
        checksums = {name: value for name, value in put.items() if name.startswith("ChecksumSHA")}
        return {"PartNumber": number, "ETag": put["ETag"], **checksums}

    def complete(self, *parts: Any, **options: Any) -> Any:
        return self._s3.complete_multipart_upload(**self.where, MultipartUpload={"Parts": list(parts)}, **options)


@pytest.fixture
def upload(s3: "S3Client", bucket: str) -> Upload:
    return Upload(s3, bucket)


def test_the_etag_is_the_hash_of_the_hashes(s3: "S3Client", bucket: str, upload: Upload) -> None:
    done = upload.complete(upload.part(1, FIRST), upload.part(2, LAST))
    hashes = hashlib.md5(FIRST).digest() + hashlib.md5(LAST).digest()
    assert done["ETag"] == f'"{hashlib.md5(hashes).hexdigest()}-2"'
    assert done["Location"] == f"{s3.meta.endpoint_url}/{bucket}/k"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == FIRST + LAST


def test_the_checksum_is_composite(s3: "S3Client", bucket: str) -> None:
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    first = upload.part(1, FIRST, ChecksumAlgorithm="SHA256")
    upload.complete(first, upload.part(2, LAST, ChecksumAlgorithm="SHA256"))
    hashes = hashlib.sha256(FIRST).digest() + hashlib.sha256(LAST).digest()
    composite = base64.b64encode(hashlib.sha256(hashes).digest()).decode() + "-2"
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (composite, "COMPOSITE")
    assert got["ChecksumSHA256"] == composite


def test_other_bytes_than_a_parts_checksum_says_are_refused(upload: Upload) -> None:
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with refused(400, "BadDigest"):
        upload.part(1, LAST, ChecksumSHA256=wrong)


def test_an_unknown_upload_is_not_found(s3: "S3Client", upload: Upload) -> None:
    upload.where["UploadId"] = "unknown"
    with refused(404, "NoSuchUpload"):
        upload.part(1, LAST)
    with refused(404, "NoSuchUpload"):
        upload.complete({"PartNumber": 1, "ETag": "x"})
    with refused(404, "NoSuchUpload"):
        s3.list_parts(**upload.where)
    with refused(404, "NoSuchUpload"):
        s3.abort_multipart_upload(**upload.where)


def test_an_upload_of_another_key_is_not_found(upload: Upload) -> None:
    upload.where["Key"] = "other"
    with refused(404, "NoSuchUpload"):
        upload.part(1, LAST)


def test_a_finished_upload_is_not_found(s3: "S3Client", upload: Upload) -> None:
    upload.complete(upload.part(1, LAST))
    with refused(404, "NoSuchUpload"):
        s3.list_parts(**upload.where)


def test_an_aborted_upload_is_not_found(s3: "S3Client", upload: Upload) -> None:
    s3.abort_multipart_upload(**upload.where)
    with refused(404, "NoSuchUpload"):
        upload.part(1, LAST)


def test_a_small_part_before_the_last_is_refused(upload: Upload) -> None:
    parts = upload.part(1, b"small"), upload.part(2, LAST)
    with refused(400, "EntityTooSmall"):
        upload.complete(*parts)


def test_a_wrong_etag_of_a_part_is_refused(upload: Upload) -> None:
    part = upload.part(1, LAST)
    with refused(400, "InvalidPart"):
        upload.complete({**part, "ETag": '"other"'})


@pytest.mark.parametrize("number", [0, 10_001])
def test_a_part_number_out_of_range_is_refused(upload: Upload, number: int) -> None:
    with refused(400, "InvalidArgument"):
        upload.part(number, LAST)


def test_uploads_say_when_they_began(s3: "S3Client", bucket: str, upload: Upload) -> None:
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [found["UploadId"] for found in listed] == [upload.where["UploadId"]]
    assert abs((datetime.now(UTC) - listed[0]["Initiated"]).total_seconds()) < 60


def test_completion_may_be_conditional(s3: "S3Client", bucket: str, upload: Upload) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"first come")
    part = upload.part(1, LAST)
    with refused(412, "PreconditionFailed"):
        upload.complete(part, IfNoneMatch="*")


def test_a_part_cannot_be_conditional(s3: "S3Client", http: httpx.Client, upload: Upload) -> None:
    url = s3.generate_presigned_url("upload_part", Params={**upload.where, "PartNumber": 1})
    answer = http.put(url, content=LAST, headers={"if-none-match": "*"})
    assert refusal(answer) == (501, "NotImplemented")


def test_a_presigned_part_url_is_for_one_part(s3: "S3Client", http: httpx.Client, upload: Upload) -> None:
    url = s3.generate_presigned_url("upload_part", Params={**upload.where, "PartNumber": 1})
    other = url.replace("partNumber=1", "partNumber=2")
    assert refusal(http.put(other, content=LAST)) == (403, "SignatureDoesNotMatch")
    answer = http.put(url, content=LAST)
    assert answer.status_code == 200
    assert [part["ETag"] for part in s3.list_parts(**upload.where)["Parts"]] == [answer.headers["etag"]]


def test_a_part_copied_on_a_condition_obeys_it(s3: "S3Client", bucket: str, upload: Upload) -> None:
    etag = s3.put_object(Bucket=bucket, Key="source", Body=LAST)["ETag"]
    source: Any = {"Bucket": bucket, "Key": "source"}
    with refused(412, "PreconditionFailed"):
        s3.upload_part_copy(**upload.where, PartNumber=1, CopySource=source, CopySourceIfMatch='"other"')
    copied = s3.upload_part_copy(**upload.where, PartNumber=1, CopySource=source, CopySourceIfMatch=etag)
    upload.complete({"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == LAST
