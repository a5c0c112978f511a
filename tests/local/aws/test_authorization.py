"""The gate's judgement alone, where a running server would add nothing."""

import time
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as ClientCredentials
from multidict import CIMultiDict

from local.aws.authorization import Authorizer
from local.aws.refusals import Refusal
from local.aws.requests import S3Request
from local.aws.signatures import Credentials

ROLE = Authorizer(Credentials("ASIAROLE", "secret", "issued"), "eu-west-1")


def presigned(token: str | None) -> S3Request:
    request = AWSRequest("GET", "http://127.0.0.1:4004/bucket/a%20b?response-cache-control=no-store")
    S3SigV4QueryAuth(ClientCredentials("ASIAROLE", "secret", token), "s3", "eu-west-1", 60).add_auth(request)
    parts = urlsplit(str(request.url))
    return S3Request.parse("GET", f"{parts.path}?{parts.query}", CIMultiDict(host=parts.netloc), "127.0.0.1")


def test_a_roles_session_token_is_part_of_its_proof() -> None:
    proof = ROLE.authorize(presigned("issued"), time.time())
    assert proof.payload == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize("token", [None, "another"])
def test_a_role_without_its_session_token_is_refused(token: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        ROLE.authorize(presigned(token), time.time())
    assert (caught.value.status, caught.value.code) == (400, "InvalidToken")
