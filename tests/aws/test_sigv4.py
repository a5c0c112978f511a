"""Our signatures against botocore's, byte for byte."""

import datetime
import string
from collections.abc import Mapping
from contextlib import AbstractContextManager
from unittest.mock import patch
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from shared.aws.credentials import Credentials, NoCredentials
from shared.aws.sigv4 import Signer, sha256_hex

LONG_LIVED = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
OF_A_ROLE = Credentials("ASIAEXAMPLE", "secret", "IQoJb3JpZ2luX2VjE/with+odd=chars==")
CREDENTIALS = st.sampled_from([LONG_LIVED, OF_A_ROLE])
MOMENTS = st.integers(0, 4_000_000_000)
NAMES = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12).map(lambda name: "x-" + name)
VALUES = st.text("abc XYZ019-_=+/;,\t", max_size=30)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=4)
QUERY_VALUES = st.text(st.characters(codec="utf-8"), max_size=20)
CONNECTION_IDS = st.text(string.ascii_letters + string.digits + "-_=", min_size=1, max_size=20)
PATHS = st.lists(st.text(string.ascii_letters + "@=+$&,.~-_ %ü", max_size=8), max_size=5).map(
    lambda segments: "/" + "/".join(quote(segment, safe="@~") for segment in segments)
)


def theirs(credentials: Credentials) -> ReadOnlyCredentials:
    return ReadOnlyCredentials(credentials.access_key, credentials.secret_key, credentials.session_token or None)


def at(now: int) -> AbstractContextManager[object]:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return patch.object(botocore.auth, "get_current_datetime", lambda: moment)


def signed_by_botocore(
    signer: type[botocore.auth.SigV4Auth],
    credentials: Credentials,
    service: str,
    request: tuple[str, str, Mapping[str, str], bytes],
    now: int,
) -> dict[str, str]:
    method, url, headers, body = request
    theirs_request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    with at(now):
        signer(theirs(credentials), service, "eu-west-1").add_auth(theirs_request)
    return {name.lower(): value for name, value in theirs_request.headers.items()}


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@given(CREDENTIALS, MOMENTS, CONNECTION_IDS, st.binary(max_size=50))
def test_a_post_to_a_connection_is_signed_as_botocore_signs_it(
    credentials: Credentials, now: int, connection: str, body: bytes
) -> None:
    url = f"https://abc.execute-api.eu-west-1.amazonaws.com/dev/@connections/{quote(connection, safe='')}"
    ours = Signer(credentials, "eu-west-1", "execute-api").headers("POST", url, {}, sha256_hex(body), now)
    request: tuple[str, str, dict[str, str], bytes] = ("POST", url, {}, body)
    assert ours == signed_by_botocore(botocore.auth.SigV4Auth, credentials, "execute-api", request, now)


@given(CREDENTIALS, MOMENTS, PATHS, HEADERS, st.dictionaries(NAMES, QUERY_VALUES, max_size=3))
def test_any_path_query_and_headers_are_signed_as_botocore_signs_them(
    credentials: Credentials, now: int, path: str, headers: dict[str, str], query: dict[str, str]
) -> None:
    encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    url = f"http://127.0.0.1:4005{path}" + (f"?{encoded}" if encoded else "")
    headers = lower(headers)
    ours = Signer(credentials, "eu-west-1", "sqs").headers("GET", url, headers, sha256_hex(b""), now)
    request = ("GET", url, headers, b"")
    assert ours == signed_by_botocore(botocore.auth.SigV4Auth, credentials, "sqs", request, now)


@given(CREDENTIALS, MOMENTS, PATHS, HEADERS, st.binary(max_size=50))
def test_a_request_to_s3_keeps_its_path_and_names_its_payload(
    credentials: Credentials, now: int, path: str, headers: dict[str, str], body: bytes
) -> None:
    url = f"https://bucket.s3.eu-west-1.amazonaws.com:443{path}"
    headers = lower(headers)
    ours = Signer(credentials, "eu-west-1", "s3").headers("PUT", url, headers, sha256_hex(body), now)
    request = ("PUT", url, headers, body)
    assert ours == signed_by_botocore(botocore.auth.S3SigV4Auth, credentials, "s3", request, now)


@given(
    CREDENTIALS,
    MOMENTS,
    st.integers(1, 604_800),
    HEADERS,
    st.dictionaries(NAMES, QUERY_VALUES.filter(bool), max_size=3),
)
def test_a_presigned_url_is_the_one_botocore_makes(
    credentials: Credentials, now: int, expires: int, headers: dict[str, str], query: dict[str, str]
) -> None:
    url, headers = "http://127.0.0.1:4005/files/quarantine/acme/0af3", lower(headers)
    ours = Signer(credentials, "eu-west-1", "s3").presign("PUT", url, headers, expires, query, now)
    request = AWSRequest(method="PUT", url=url, headers=headers, params=dict(query))
    with at(now):
        signer = botocore.auth.S3SigV4QueryAuth(theirs(credentials), "s3", "eu-west-1", expires=expires)
        signer.add_auth(request)
    assert ours == request.url


def test_credentials_come_from_the_environment() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    assert Credentials.from_env(environ) == Credentials("id", "secret", "token")


def test_an_environment_without_credentials_is_refused() -> None:
    with pytest.raises(NoCredentials):
        Credentials.from_env({"AWS_ACCESS_KEY_ID": "id"})


def test_secrets_are_not_shown_in_logs() -> None:
    shown = repr(Credentials("id", "hidden", "token"))
    assert "hidden" not in shown
    assert "token" not in shown
