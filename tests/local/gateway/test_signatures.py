"""`@connections` believes nobody who does not sign, and nobody who signs wrongly."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.local.gateway.harness import ACCESS_KEY, SECRET_KEY, RunningGateway, StartGateway

pytestmark = pytest.mark.anyio
PATH = "/@connections/AAAAAAAAAAAAAAA%3D"


def signed(
    url: str, *, key: str = ACCESS_KEY, secret: str = SECRET_KEY, service: str = "execute-api"
) -> dict[str, str]:
    request = AWSRequest(method="POST", url=url, data=b"x")
    SigV4Auth(Credentials(key, secret), service, "eu-central-1").add_auth(request)
    return dict(request.headers.items())


async def post(running: RunningGateway, headers: dict[str, str], **options: Any) -> tuple[int, str]:
    options = {"url": running.gateway.connections_url + PATH, "content": b"x", **options}
    async with httpx.AsyncClient() as client:
        response = await client.post(headers=headers, **options)
    return response.status_code, response.headers["x-amzn-ErrorType"]


async def test_a_good_signature_reaches_the_api(start: StartGateway) -> None:
    running = await start()
    url = running.gateway.connections_url + PATH
    assert await post(running, signed(url)) == (410, "GoneException")


async def test_the_encoded_spelling_of_the_path_can_be_signed_too(start: StartGateway) -> None:
    running = await start()
    url = running.gateway.connections_url + PATH.replace("@", "%40")
    assert await post(running, signed(url), url=url) == (410, "GoneException")


async def test_no_signature_is_a_missing_token(start: StartGateway) -> None:
    running = await start()
    assert await post(running, {}) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("authorization", ["Bearer abc", "AWS4-HMAC-SHA256 Credential=x"])
async def test_something_else_than_a_signature_is_incomplete(start: StartGateway, authorization: str) -> None:
    running = await start()
    headers = {"Authorization": authorization, "X-Amz-Date": "20260101T000000Z"}
    assert await post(running, headers) == (403, "IncompleteSignatureException")


async def test_a_signature_without_a_date_is_incomplete(start: StartGateway) -> None:
    running = await start()
    headers = signed(running.gateway.connections_url + PATH)
    del headers["X-Amz-Date"]
    assert await post(running, headers) == (403, "IncompleteSignatureException")


async def test_an_unknown_key_is_an_unrecognized_client(start: StartGateway) -> None:
    running = await start()
    headers = signed(running.gateway.connections_url + PATH, key="AKIDSTRANGER")
    assert await post(running, headers) == (403, "UnrecognizedClientException")


async def test_a_wrong_secret_is_an_invalid_signature(start: StartGateway) -> None:
    running = await start()
    headers = signed(running.gateway.connections_url + PATH, secret="wrong")
    assert await post(running, headers) == (403, "InvalidSignatureException")


async def test_another_service_is_an_invalid_signature(start: StartGateway) -> None:
    running = await start()
    headers = signed(running.gateway.connections_url + PATH, service="s3")
    assert await post(running, headers) == (403, "InvalidSignatureException")


async def test_another_body_is_an_invalid_signature(start: StartGateway) -> None:
    running = await start()
    headers = signed(running.gateway.connections_url + PATH)
    assert await post(running, headers, content=b"y") == (403, "InvalidSignatureException")


async def test_another_path_is_an_invalid_signature(start: StartGateway) -> None:
    running = await start()
    headers = signed(running.gateway.connections_url + PATH)
    url = running.gateway.connections_url + PATH.replace("AAA", "BBB")
    assert await post(running, headers, url=url) == (403, "InvalidSignatureException")


async def test_an_old_signature_is_invalid(start: StartGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await start()
    old = datetime.now(UTC) - timedelta(minutes=6)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: old.replace(tzinfo=None))
    headers = signed(running.gateway.connections_url + PATH)
    assert await post(running, headers) == (403, "InvalidSignatureException")


async def test_without_credentials_only_the_form_is_checked(start: StartGateway) -> None:
    running = await start(credentials=None)
    headers = signed(running.gateway.connections_url + PATH, secret="anything")
    assert await post(running, headers) == (410, "GoneException")
    assert await post(running, {}) == (403, "MissingAuthenticationTokenException")
