"""Reads S3's refusals, from plain HTTP and from boto3."""

from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

import httpx
import pytest
from botocore.exceptions import ClientError


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and S3's error code."""
    return response.status_code, detail(response, "Code")


def detail(response: httpx.Response, name: str) -> str:
    """The text of one element of the error document."""
    return str(ElementTree.fromstring(response.content).findtext(name))  # noqa: S314


@contextmanager
def refused(status: int, code: str) -> Iterator[None]:
    """Expects boto3 to raise for this answer."""
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, code)
