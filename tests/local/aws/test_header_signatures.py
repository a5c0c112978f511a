"""Requests signed in the `Authorization` header, as SDKs send them."""

import base64
import hashlib
import io
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws import ThreadedAws
from tests.local.aws.answers import detail, refusal, refused
from tests.local.aws.conftest import ServerClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def signed_put(
    aws: ThreadedAws,
    bucket: str,
    data: bytes,
    headers: dict[str, str] | None = None,
    region: str = "us-east-1",
    service: str = "s3",
) -> Any:
    request = AWSRequest("PUT", f"{aws.s3_url}/{bucket}/a", data=data, headers=headers or {})
    S3SigV4Auth(Credentials(aws.access_key, aws.secret_key), service, region).add_auth(request)
    return request.prepare()


def sent(http: httpx.Client, request: Any, content: Any = None) -> httpx.Response:
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    return http.request(request.method, request.url, headers=headers, content=content or request.body)


def test_a_wrong_secret_is_refused(aws: ThreadedAws, bucket: str) -> None:
    stranger = aws.client("s3", aws_secret_access_key="wrong")
    with refused(403, "SignatureDoesNotMatch"):
        stranger.put_object(Bucket=bucket, Key="a", Body=b"x")
    stranger.close()


def test_an_unknown_key_is_refused(aws: ThreadedAws, bucket: str) -> None:
    stranger = aws.client("s3", aws_access_key_id="AKIASTRANGER")
    with refused(403, "InvalidAccessKeyId"):
        stranger.list_objects_v2(Bucket=bucket)
    stranger.close()


def test_a_token_nobody_issued_is_refused(aws: ThreadedAws, bucket: str) -> None:
    stranger = aws.client("s3", aws_session_token="made up")
    with refused(400, "InvalidToken"):
        stranger.list_objects_v2(Bucket=bucket)
    stranger.close()


def test_another_region_or_service_is_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    elsewhere = sent(http, signed_put(aws, bucket, b"x", region="eu-west-1"))
    assert refusal(elsewhere) == (400, "AuthorizationHeaderMalformed")
    assert detail(elsewhere, "Region") == "us-east-1"
    other = sent(http, signed_put(aws, bucket, b"x", service="sqs"))
    assert refusal(other) == (400, "AuthorizationHeaderMalformed")


def test_an_sdk_finds_the_right_region(aws: ThreadedAws, bucket: str) -> None:
    elsewhere = aws.client("s3", region_name="eu-west-1")
    assert elsewhere.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    elsewhere.close()


def test_a_request_from_another_time_is_refused(s3: "S3Client", bucket: str, clock: ServerClock) -> None:
    clock.ahead = 901
    with refused(403, "RequestTimeTooSkewed"):
        s3.list_objects_v2(Bucket=bucket)


def test_anonymous_clients_may_not_even_list(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    assert refusal(http.get(f"{aws.s3_url}/{bucket}")) == (403, "AccessDenied")


def test_other_bytes_than_signed_are_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    answer = sent(http, signed_put(aws, bucket, b"right"), b"wrong")
    assert refusal(answer) == (400, "XAmzContentSHA256Mismatch")
    assert detail(answer, "S3ComputedContentSHA256") == hashlib.sha256(b"wrong").hexdigest()


def test_a_header_added_on_the_way_is_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    request = signed_put(aws, bucket, b"x")
    request.headers["x-amz-tagging"] = "a=b"
    assert refusal(sent(http, request)) == (403, "AccessDenied")


def test_two_checksums_are_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    headers = {"x-amz-checksum-sha256": "a", "x-amz-checksum-crc32": "b"}
    assert refusal(sent(http, signed_put(aws, bucket, b"x", headers))) == (400, "InvalidRequest")


@pytest.mark.parametrize("authorization", ["AWS test:c2ln", "Bearer token", "AWS4-HMAC-SHA256 Credential=x"])
def test_other_authorizations_are_refused(
    aws: ThreadedAws, http: httpx.Client, bucket: str, authorization: str
) -> None:
    answer = http.get(f"{aws.s3_url}/{bucket}", headers={"authorization": authorization})
    assert answer.status_code == 400


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_an_sdks_checksum_is_checked_and_kept(s3: "S3Client", bucket: str, algorithm: Any) -> None:
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"abc", ChecksumAlgorithm=algorithm)
    stored = s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    field = f"Checksum{algorithm}"
    assert stored["Body"].read() == b"abc"
    assert put[field] == stored[field]  # type: ignore[literal-required]


def test_an_sdks_wrong_checksum_is_refused(s3: "S3Client", bucket: str) -> None:
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with refused(400, "BadDigest"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"abc", ChecksumSHA256=wrong)


def test_large_objects_go_through(s3: "S3Client", bucket: str) -> None:
    data = bytes(range(256)) * (256 * 1024)
    s3.put_object(Bucket=bucket, Key="large", Body=io.BytesIO(data))
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == data


def test_conditional_writes_and_deletes_hold(s3: "S3Client", bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfMatch='"other"')
    with refused(412, "PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="a", IfMatch='"other"')
    s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfMatch=etag)


def test_a_key_beyond_a_kilobyte_is_refused(s3: "S3Client", bucket: str) -> None:
    with refused(400, "KeyTooLongError"):
        s3.put_object(Bucket=bucket, Key="é" * 513, Body=b"")
