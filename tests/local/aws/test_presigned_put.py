"""Presigned PUT: for exactly one thing, and a short time (facts: files-sessions §5.2 and §5.3)."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.aws import ThreadedAws
from tests.local.aws.answers import detail, refusal
from tests.local.aws.conftest import ServerClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = b"a,b\n1,2\n"
SHA256 = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
HEADERS = {"content-type": "text/csv", "if-none-match": "*", "x-amz-checksum-sha256": SHA256}


@pytest.fixture
def url(s3: "S3Client", bucket: str) -> str:
    """A URL that signs everything our file function signs."""
    return presigned(s3, bucket)


def presigned(s3: "S3Client", bucket: str, **changes: Any) -> str:
    signed = {"ContentType": "text/csv", "IfNoneMatch": "*", "ChecksumSHA256": SHA256}
    params = {"Bucket": bucket, "Key": "t1/a.csv", "ContentLength": len(DATA), **signed, **changes}
    present = {name: value for name, value in params.items() if value is not None}
    return s3.generate_presigned_url("put_object", Params=present, ExpiresIn=900)


def test_exactly_what_was_signed_is_stored(s3: "S3Client", http: httpx.Client, bucket: str, url: str) -> None:
    answer = http.put(url, content=DATA, headers=HEADERS)
    stored = s3.head_object(Bucket=bucket, Key="t1/a.csv", ChecksumMode="ENABLED")
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{hashlib.md5(DATA).hexdigest()}"' == stored["ETag"]
    assert (stored["ContentLength"], stored["ContentType"]) == (len(DATA), "text/csv")
    assert stored["ChecksumSHA256"] == SHA256


def test_an_expired_url_is_refused(http: httpx.Client, url: str, clock: ServerClock) -> None:
    clock.ahead = 902
    answer = http.put(url, content=DATA, headers=HEADERS)
    assert refusal(answer) == (403, "AccessDenied")
    assert detail(answer, "Message") == "Request has expired"


def test_a_url_from_the_future_is_refused(http: httpx.Client, url: str, clock: ServerClock) -> None:
    clock.ahead = -1000
    assert refusal(http.put(url, content=DATA, headers=HEADERS)) == (403, "AccessDenied")


def test_a_forged_signature_is_refused(http: httpx.Client, url: str) -> None:
    forged = url[:-4] + ("0000" if not url.endswith("0000") else "1111")
    answer = http.put(forged, content=DATA, headers=HEADERS)
    assert refusal(answer) == (403, "SignatureDoesNotMatch")
    assert detail(answer, "StringToSign").startswith("AWS4-HMAC-SHA256\n")


def test_a_longer_expiry_than_signed_is_refused(http: httpx.Client, url: str) -> None:
    longer = url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000")
    assert refusal(http.put(longer, content=DATA, headers=HEADERS)) == (403, "SignatureDoesNotMatch")


def test_another_key_than_signed_is_refused(http: httpx.Client, url: str) -> None:
    swapped = url.replace("/t1/", "/t2/")
    assert refusal(http.put(swapped, content=DATA, headers=HEADERS)) == (403, "SignatureDoesNotMatch")


def test_another_content_type_than_signed_is_refused(http: httpx.Client, url: str) -> None:
    changed = {**HEADERS, "content-type": "text/html"}
    assert refusal(http.put(url, content=DATA, headers=changed)) == (403, "SignatureDoesNotMatch")


def test_another_length_than_signed_is_refused(http: httpx.Client, url: str) -> None:
    assert refusal(http.put(url, content=DATA + b"3", headers=HEADERS)) == (403, "SignatureDoesNotMatch")


def test_a_missing_signed_header_is_refused(http: httpx.Client, url: str) -> None:
    bare = {name: value for name, value in HEADERS.items() if name != "if-none-match"}
    assert refusal(http.put(url, content=DATA, headers=bare)) == (403, "SignatureDoesNotMatch")


def test_an_amazon_header_that_was_not_signed_is_refused(http: httpx.Client, url: str) -> None:
    answer = http.put(url, content=DATA, headers={**HEADERS, "x-amz-acl": "public-read"})
    assert refusal(answer) == (403, "AccessDenied")
    assert detail(answer, "HeadersNotSigned") == "x-amz-acl"


def test_a_put_url_does_not_read(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="t1/a.csv", Body=DATA)
    url = presigned(s3, bucket, ContentLength=None, ContentType=None, IfNoneMatch=None, ChecksumSHA256=None)
    assert refusal(http.get(url)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_put_url_does_nothing_else(http: httpx.Client, url: str, method: str) -> None:
    answer = http.request(method, url, headers=HEADERS)
    assert refusal(answer) == (403, "SignatureDoesNotMatch")


def test_other_bytes_of_the_same_length_are_refused(s3: "S3Client", http: httpx.Client, bucket: str, url: str) -> None:
    other = DATA.replace(b"1", b"9")
    assert refusal(http.put(url, content=other, headers=HEADERS)) == (400, "BadDigest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_checksum_that_is_none_is_refused(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    url = presigned(s3, bucket, ChecksumSHA256="bm9uZQ==")
    headers = {**HEADERS, "x-amz-checksum-sha256": "bm9uZQ=="}
    assert refusal(http.put(url, content=DATA, headers=headers)) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("md5", "expected"),
    [
        (base64.b64encode(hashlib.md5(b"other").digest()).decode(), (400, "BadDigest")),
        ("garbage", (400, "InvalidDigest")),
    ],
)
def test_a_wrong_content_md5_is_refused(http: httpx.Client, url: str, md5: str, expected: tuple[int, str]) -> None:
    assert refusal(http.put(url, content=DATA, headers={**HEADERS, "content-md5": md5})) == expected


def test_without_credentials_nothing_is_stored(
    aws: ThreadedAws, http: httpx.Client, s3: "S3Client", bucket: str
) -> None:
    answer = http.put(f"{aws.s3_url}/{bucket}/t1/a.csv", content=DATA)
    assert refusal(answer) == (403, "AccessDenied")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_put_happens_once(s3: "S3Client", http: httpx.Client, bucket: str, url: str) -> None:
    assert http.put(url, content=DATA, headers=HEADERS).status_code == 200
    assert refusal(http.put(url, content=DATA, headers=HEADERS)) == (412, "PreconditionFailed")


def test_a_replay_without_the_condition_is_refused(http: httpx.Client, url: str) -> None:
    http.put(url, content=DATA, headers=HEADERS)
    bare = {name: value for name, value in HEADERS.items() if name != "if-none-match"}
    assert refusal(http.put(url, content=DATA, headers=bare)) == (403, "SignatureDoesNotMatch")


def test_a_condition_other_than_a_star_is_not_implemented(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    url = presigned(s3, bucket, IfNoneMatch='"abc"')
    answer = http.put(url, content=DATA, headers={**HEADERS, "if-none-match": '"abc"'})
    assert refusal(answer) == (501, "NotImplemented")


def test_a_body_without_a_length_is_not_implemented(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    url = presigned(s3, bucket, ContentLength=None)
    assert refusal(http.put(url, content=iter([DATA]), headers=HEADERS)) == (501, "NotImplemented")


def test_headers_hoisted_into_the_query_count(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    """The JavaScript presigner moves `x-amz-*` headers there."""
    params = {"x-amz-checksum-sha256": SHA256, "x-amz-meta-colour": "red", "x-id": "PutObject"}

    def hoist(request: Any, **_: Any) -> None:
        request.params.update(params)

    s3.meta.events.register_first("before-sign.s3.PutObject", hoist, "hoist")
    try:
        url = presigned(s3, bucket, ContentType=None, IfNoneMatch=None, ChecksumSHA256=None)
    finally:
        s3.meta.events.unregister("before-sign.s3.PutObject", hoist, "hoist")
    assert refusal(http.put(url, content=DATA.replace(b"1", b"9"))) == (400, "BadDigest")
    assert http.put(url, content=DATA).status_code == 200
    assert s3.head_object(Bucket=bucket, Key="t1/a.csv")["Metadata"] == {"colour": "red"}


@pytest.mark.parametrize("seconds", [0, 604_801])
def test_a_period_s3_does_not_grant_is_refused(http: httpx.Client, s3: "S3Client", bucket: str, seconds: int) -> None:
    params = {"Bucket": bucket, "Key": "a"}
    url = s3.generate_presigned_url("put_object", Params=params, ExpiresIn=seconds)
    assert refusal(http.put(url, content=DATA)) == (400, "AuthorizationQueryParametersError")


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"])
def test_a_url_that_lacks_a_parameter_is_refused(http: httpx.Client, url: str, name: str) -> None:
    answer = http.put(url.replace(name, "X-Other"), content=DATA, headers=HEADERS)
    assert refusal(answer) == (400, "AuthorizationQueryParametersError")


def test_a_url_by_the_old_signature_version_is_refused(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    old = aws.client("s3", config=None)
    url = old.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    old.close()
    assert "AWSAccessKeyId" in url
    assert refusal(http.put(url, content=DATA)) == (400, "InvalidRequest")


def test_a_second_proof_in_the_header_is_refused(http: httpx.Client, url: str) -> None:
    answer = http.put(url, content=DATA, headers={**HEADERS, "authorization": "AWS4-HMAC-SHA256 x"})
    assert refusal(answer) == (400, "InvalidArgument")


def test_a_connection_goes_on_after_a_refused_upload(http: httpx.Client, url: str) -> None:
    large = bytes(3 * 1024 * 1024)
    for _ in range(3):
        assert refusal(http.put(url, content=large, headers=HEADERS)) == (403, "SignatureDoesNotMatch")
    assert http.put(url, content=DATA, headers=HEADERS).status_code == 200


def test_a_bucket_policys_denial_holds(s3: "S3Client", http: httpx.Client, bucket: str, url: str) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/t1/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    assert refusal(http.put(url, content=DATA, headers=HEADERS)) == (403, "AccessDenied")
    assert s3.put_object(Bucket=bucket, Key="t2/a.csv", Body=DATA)["ETag"]
