"""CopyObject: conditions on the source, checksums of the copy."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.aws.answers import refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
SOON = timedelta(hours=1)


@pytest.fixture
def etag(s3: "S3Client", bucket: str) -> str:
    """Of the source, `quarantine/a b`."""
    return s3.put_object(Bucket=bucket, Key="quarantine/a b", Body=b"abc", ContentType="text/csv")["ETag"]


def copy(s3: "S3Client", bucket: str, **conditions: Any) -> str:
    source: Any = {"Bucket": bucket, "Key": "quarantine/a b"}
    copied = s3.copy_object(Bucket=bucket, Key="clean/a", CopySource=source, **conditions)
    return copied["CopyObjectResult"]["ETag"]


def test_a_source_as_expected_is_copied(s3: "S3Client", bucket: str, etag: str) -> None:
    assert copy(s3, bucket, CopySourceIfMatch=etag) == etag
    assert s3.head_object(Bucket=bucket, Key="clean/a")["ContentType"] == "text/csv"


@pytest.mark.usefixtures("etag")
def test_a_source_that_changed_is_not_copied(s3: "S3Client", bucket: str) -> None:
    with refused(412, "PreconditionFailed"):
        copy(s3, bucket, CopySourceIfMatch='"other"')
    assert s3.list_objects_v2(Bucket=bucket, Prefix="clean/")["KeyCount"] == 0


def test_the_other_conditions_hold_too(s3: "S3Client", bucket: str, etag: str) -> None:
    with refused(412, "PreconditionFailed"):
        copy(s3, bucket, CopySourceIfNoneMatch=etag)
    with refused(412, "PreconditionFailed"):
        copy(s3, bucket, CopySourceIfUnmodifiedSince=LONG_AGO)
    with refused(412, "PreconditionFailed"):
        copy(s3, bucket, CopySourceIfModifiedSince=datetime.now(UTC))
    copy(s3, bucket, CopySourceIfModifiedSince=LONG_AGO, CopySourceIfUnmodifiedSince=datetime.now(UTC) + SOON)


@pytest.mark.usefixtures("etag")
def test_a_date_in_the_future_is_ignored(s3: "S3Client", bucket: str) -> None:
    copy(s3, bucket, CopySourceIfModifiedSince=datetime.now(UTC) + SOON)


def test_an_equal_etag_makes_the_date_void(s3: "S3Client", bucket: str, etag: str) -> None:
    assert copy(s3, bucket, CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=LONG_AGO) == etag


def test_an_absent_source_is_not_found(s3: "S3Client", bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        copy(s3, bucket, CopySourceIfMatch='"any"')


def test_a_copy_may_be_conditional_on_its_target(s3: "S3Client", bucket: str, etag: str) -> None:
    copy(s3, bucket, IfNoneMatch="*")
    with refused(412, "PreconditionFailed"):
        copy(s3, bucket, IfNoneMatch="*")
    with refused(412, "PreconditionFailed"):
        copy(s3, bucket, IfMatch='"other"')
    copy(s3, bucket, IfMatch=etag)


def test_a_copied_multipart_object_has_a_checksum_of_its_own_bytes(s3: "S3Client", bucket: str) -> None:
    key = "quarantine/a b"
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    where: Any = {"Bucket": bucket, "Key": key, "UploadId": upload}
    part = s3.upload_part(**where, PartNumber=1, Body=b"abc", ChecksumAlgorithm="SHA256")
    chosen: Any = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [chosen]})
    copy(s3, bucket)
    copied = s3.head_object(Bucket=bucket, Key="clean/a", ChecksumMode="ENABLED")
    assert copied["ETag"] == f'"{hashlib.md5(b"abc").hexdigest()}"'
    assert copied["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
