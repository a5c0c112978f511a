"""The gate's own line to moto, which believes everything it is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from local.aws.authorization import is_auth_parameter
from local.aws.bodies import Body
from local.aws.requests import S3Request

_BLOCK: Final = 256 * 1024
_HOP_BY_HOP: Final = frozenset(
    ("connection", "date", "keep-alive", "server", "transfer-encoding", "x-amzn-requestid", "vary")
)
_NOT_FORWARDED: Final = frozenset(
    (
        *("authorization", "connection", "content-length", "expect", "host", "origin", "transfer-encoding"),
        *("x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
    )
)


@dataclass
class Answer:
    """A status, headers and the body: bytes, or what still comes from moto."""

    status: int
    headers: CIMultiDict[str]
    body: bytes | aiohttp.ClientResponse = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> bytes:
        """The body of an answer that was read whole."""
        return self.body if isinstance(self.body, bytes) else b""


class Upstream:
    """moto at `url`; answers as moto gives them."""

    def __init__(self, url: str, region: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(limit=0),
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        )
        # moto checks nothing in it, but takes a request without one for an anonymous one.
        scope = f"gate/20200101/{region}/s3/aws4_request"
        self._authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"

    async def close(self) -> None:
        await self._session.close()

    async def forward(self, request: S3Request, body: Body) -> Answer:
        """The request without its proof; a successful GET's body is left to be streamed."""
        query = [(name, value) for name, value in request.query if not is_auth_parameter(name)]
        return await self._send(request.method, request.canonical_path, query, request.headers, body)

    async def head(
        self, bucket: str, key: str, headers: CIMultiDict[str] | None = None, version: str | None = None
    ) -> Answer:
        path = quote(f"/{bucket}/{key}", safe="/-_.~")
        query = [] if version is None else [("versionId", version)]
        return await self._send("HEAD", path, query, headers or CIMultiDict())

    async def bucket_document(self, bucket: str, name: str) -> ElementTree.Element | None:
        """A bucket's sub-resource, such as `cors`; None when it has none."""
        answer = await self._send("GET", f"/{quote(bucket)}", [(name, "")], CIMultiDict())
        text = await whole(answer)
        return ElementTree.fromstring(text) if answer.ok else None  # noqa: S314

    async def _send(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        headers: CIMultiDict[str],
        body: Body | None = None,
    ) -> Answer:
        encoded = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
        url = URL(f"{self._url}{path}" + (f"?{encoded}" if encoded else ""), encoded=True)
        sent = CIMultiDict((name, value) for name, value in headers.items() if _is_forwarded(name))
        sent["authorization"] = self._authorization
        sent["content-length"] = str(body.size if body else 0)
        data = body.blocks() if body and body.size else None
        response = await self._session.request(method, url, headers=sent, data=data, allow_redirects=False)
        answer = Answer(response.status, _end_to_end(response), response)
        if method != "GET" or not answer.ok:
            answer.body = await response.read()
        return answer


async def whole(answer: Answer) -> bytes:
    """The body, read to its end; afterwards the answer holds it."""
    if not isinstance(answer.body, bytes):
        answer.body = await answer.body.read()
    return answer.body


async def blocks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for block in response.content.iter_chunked(_BLOCK):
        yield block


def _is_forwarded(name: str) -> bool:
    return name.lower() not in _NOT_FORWARDED


def _end_to_end(response: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value)
        for name, value in response.headers.items()
        if name.lower() not in _HOP_BY_HOP and not name.lower().startswith("access-control-")
    )
