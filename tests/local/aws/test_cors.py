"""CORS as the bucket's configuration says."""

from typing import TYPE_CHECKING

import httpx
import pytest

from local.aws import ThreadedAws
from tests.local.aws.answers import refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

APP = "https://app.test"


@pytest.fixture
def url(aws: ThreadedAws, s3: "S3Client", bucket: str) -> str:
    """An object's address in a bucket for uploads by one app and reads by its previews."""
    uploads = {"AllowedOrigins": [APP], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}
    reads = {"AllowedOrigins": ["https://*.preview.test"], "AllowedMethods": ["GET"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [uploads, reads]})  # type: ignore[list-item]
    return f"{aws.s3_url}/{bucket}/a"


def asked(http: httpx.Client, url: str, origin: str, method: str, names: str = "") -> httpx.Response:
    headers = {"origin": origin, "access-control-request-method": method}
    if names:
        headers["access-control-request-headers"] = names
    return http.options(url, headers=headers)


def test_an_allowed_preflight_is_granted(http: httpx.Client, url: str) -> None:
    answer = asked(http, url, APP, "PUT", "content-type, X-Amz-Checksum-Sha256")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "content-type, x-amz-checksum-sha256"
    assert answer.headers["access-control-expose-headers"] == "ETag"
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("origin", "method", "names"),
    [
        ("https://evil.test", "PUT", ""),
        (APP, "DELETE", ""),
        (APP, "GET", ""),
        ("https://a.preview.test", "GET", "x-custom"),
        ("https://preview.test", "GET", ""),
    ],
)
def test_any_other_preflight_is_refused(http: httpx.Client, url: str, origin: str, method: str, names: str) -> None:
    answer = asked(http, url, origin, method, names)
    assert refusal(answer) == (403, "AccessForbidden")
    assert "access-control-allow-origin" not in answer.headers


def test_an_origin_may_have_a_wildcard(http: httpx.Client, url: str) -> None:
    answer = asked(http, url, "https://a.preview.test", "GET")
    assert answer.headers["access-control-allow-origin"] == "https://a.preview.test"
    assert answer.headers["access-control-max-age"] == "60"


def test_a_bucket_without_configuration_allows_nothing(aws: ThreadedAws, http: httpx.Client, bucket: str) -> None:
    assert refusal(asked(http, f"{aws.s3_url}/{bucket}/a", APP, "PUT")) == (403, "AccessForbidden")


@pytest.mark.usefixtures("url")
def test_a_real_request_is_answered_with_the_rules_headers(s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    signed = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    granted = http.put(signed, content=b"x", headers={"origin": APP})
    stranger = http.put(signed, content=b"x", headers={"origin": "https://evil.test"})
    assert granted.headers["access-control-allow-origin"] == APP
    assert granted.headers["access-control-expose-headers"] == "ETag"
    assert stranger.status_code == 200
    assert "access-control-allow-origin" not in stranger.headers


def test_a_refusal_can_be_read_by_the_app(http: httpx.Client, url: str) -> None:
    answer = http.put(url, content=b"x", headers={"origin": APP})
    assert refusal(answer) == (403, "AccessDenied")
    assert answer.headers["access-control-allow-origin"] == APP


def test_any_origin_is_named_by_a_star(aws: ThreadedAws, s3: "S3Client", http: httpx.Client, bucket: str) -> None:
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["PUT", "GET", "HEAD"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})  # type: ignore[list-item]
    answer = asked(http, f"{aws.s3_url}/{bucket}/a", APP, "PUT")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
