"""The S3 gate: refuses what S3 refuses and moto does not, and passes the rest on."""

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from weakref import WeakValueDictionary

from aiohttp import ClientError, ClientResponse, web
from multidict import CIMultiDict

from local.aws import checksums, chunked, conditions, corrections, cors, shape
from local.aws.authorization import Authorizer, hoisted_headers
from local.aws.bodies import Body, receive
from local.aws.events import NewObject, ObjectEvents
from local.aws.post_object import PostedForm, post_answer
from local.aws.refusals import Refusal
from local.aws.requests import S3Request
from local.aws.uploads import Uploads
from local.aws.upstream import Answer, Upstream, blocks, whole

_log = logging.getLogger(__name__)


class _Exchange(ExitStack):
    """One incoming request with the ids of its answer; closes the bodies made for it."""

    def __init__(self, incoming: web.BaseRequest) -> None:
        super().__init__()
        self.incoming = incoming
        self.request_id = secrets.token_hex(8).upper()
        self.host_id = base64.b64encode(secrets.token_bytes(56)).decode()

    def new_body(self) -> Body:
        return self.enter_context(closing(Body()))

    async def invite_body(self) -> None:
        """Tells a client that waits for it (`Expect: 100-continue`) to send the bytes."""
        if self.incoming.headers.get("expect", "").lower() == "100-continue":
            await self.incoming.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.incoming.writer.output_size = 0


class Gate:
    """An aiohttp handler for every path, in front of `upstream`."""

    def __init__(
        self,
        upstream: Upstream,
        authorizer: Authorizer,
        events: ObjectEvents,
        uploads: Uploads,
        now: Callable[[], float],
    ) -> None:
        self._upstream = upstream
        self._authorizer = authorizer
        self._events = events
        self._uploads = uploads
        self._now = now
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        with _Exchange(incoming) as exchange:
            answer = await self._answered(exchange)
        answer.headers["x-amz-request-id"] = exchange.request_id
        answer.headers["x-amz-id-2"] = exchange.host_id
        answer.headers["server"] = "AmazonS3"
        corrections.name_request(answer, exchange.request_id, exchange.host_id)
        return await _send(incoming, answer)

    async def _answered(self, exchange: _Exchange) -> Answer:
        incoming, bucket = exchange.incoming, ""
        resource = incoming.raw_path.partition("?")[0]
        try:
            headers = CIMultiDict(incoming.headers)
            request = S3Request.parse(incoming.method, incoming.raw_path, headers, incoming.remote or "")
            resource, bucket = request.resource, request.bucket
            answer = await self._dispatch(request, exchange)
        except Refusal as refusal:
            refusal.details.setdefault("Resource", resource)
            answer = _refused(refusal, exchange)
        except Exception:
            _log.exception("%s %s failed", incoming.method, incoming.raw_path)
            answer = _refused(_internal_error(), exchange)
        # Without moto there is nobody to tell the rules.
        with suppress(ClientError):
            await self._add_cors(incoming, bucket, answer)
        return answer

    async def _dispatch(self, request: S3Request, exchange: _Exchange) -> Answer:
        if request.method == "OPTIONS":
            rules = await cors.rules_of(request.bucket, self._upstream)
            return Answer(200, cors.preflight(rules, request.method, request.headers, request.resource))
        if request.is_form:
            return await self._post_form(request, exchange)
        shape.check_post(request)
        return await self._signed(request, exchange)

    async def _signed(self, request: S3Request, exchange: _Exchange) -> Answer:
        proof = self._authorizer.authorize(request, self._now())
        for name, value in hoisted_headers(request):
            request.headers.setdefault(name, value)
        shape.check(request)
        self._uploads.check(request)
        body = exchange.new_body()
        await exchange.invite_body()
        await receive(exchange.incoming.content.iter_any(), body)
        if chunked.is_chunked(proof):
            wrapped, body = body, exchange.new_body()
            chunked.unchunk(wrapped, request.headers, proof, body)
        else:
            await checksums.check_payload(body, proof)
        await checksums.check_announced(body, request.headers)
        return await self._perform(request, body, exchange)

    async def _post_form(self, request: S3Request, exchange: _Exchange) -> Answer:
        await exchange.invite_body()
        form = await PostedForm.read(exchange.incoming, exchange.new_body())
        form.check(request.bucket, self._authorizer, self._now())
        put = form.as_put(request)
        await checksums.check_announced(form.body, put.headers)
        answer = await self._perform(put, form.body, exchange, created_by="Post")
        return post_answer(form, put, answer, str(exchange.incoming.url.origin())) if answer.ok else answer

    async def _perform(
        self, request: S3Request, body: Body, exchange: _Exchange, created_by: str | None = None
    ) -> Answer:
        """Writes to one key happen one after the other, so that conditions and events tell the truth."""
        if not request.is_mutation and not conditions.is_conditional(request):
            return await self._forwarded(request, body)
        async with self._locks.setdefault(request.object_id, asyncio.Lock()):
            self._uploads.check(request)
            if request.creates == "CompleteMultipartUpload":
                self._uploads.check_list(request, body.whole())
            if request.is_copy:
                await self._look_at_source(request)
            if conditions.is_conditional(request) and (decided := await self._decided(request)):
                return decided
            answer = await self._forwarded(request, body)
            created_by = created_by or request.creates
            if answer.ok and created_by:
                await self._emit(request, created_by, exchange)
            return answer

    async def _look_at_source(self, request: S3Request) -> None:
        bucket, key = conditions.copy_source(request)
        asking = CIMultiDict({"x-amz-checksum-mode": "ENABLED"})
        source = await self._upstream.head(bucket, key, asking)
        conditions.check_source(request, source)
        corrections.recompute_composite_checksum(request, source)

    async def _decided(self, request: S3Request) -> Answer | None:
        """The answer, if the reader has the object already; Refusal when a condition does not hold."""
        stored = await self._upstream.head(*request.object_id, version=request.params.get("versionId"))
        if request.creates:
            conditions.check_target(request, stored)
            return None
        return conditions.not_modified(stored) if conditions.is_known(request, stored) else None

    async def _forwarded(self, request: S3Request, body: Body) -> Answer:
        for algorithm in checksums.announced_checksums(request.headers):
            # moto keeps a checksum only when this SDK header names it.
            request.headers["x-amz-sdk-checksum-algorithm"] = algorithm.upper()
        answer = await self._upstream.forward(request, body)
        if answer.status == 403 and not await whole(answer):
            # By the bucket's policy, but moto says nothing.
            raise Refusal("AccessDenied", "Access Denied")
        corrections.correct(request, answer)
        if answer.status >= 500:
            _log.error("moto failed on %s %s: %s", request.method, request.resource, await whole(answer))
            raise _internal_error()
        if answer.ok and request.method != "GET":
            self._uploads.note(request, answer.text, self._now())
        if answer.ok and request.lists_uploads:
            answer.body = corrections.list_of_parts(self._uploads.dated(await whole(answer)))
            answer.headers.pop("content-length", None)
        return answer

    async def _emit(self, request: S3Request, created_by: str, exchange: _Exchange) -> None:
        stored = await self._upstream.head(*request.object_id)
        if not stored.ok:
            return
        self._events.emit(
            NewObject(
                request.bucket,
                request.key,
                created_by,
                size=int(stored.headers["content-length"]),
                etag=stored.headers["etag"].strip('"'),
                version=stored.headers.get("x-amz-version-id", ""),
                source_ip=request.source_ip,
                request_id=exchange.request_id,
                host_id=exchange.host_id,
            )
        )

    async def _add_cors(self, incoming: web.BaseRequest, bucket: str, answer: Answer) -> None:
        origin = incoming.headers.get("origin")
        if origin and bucket and incoming.method != "OPTIONS":
            rules = await cors.rules_of(bucket, self._upstream)
            answer.headers.update(cors.decoration(rules, incoming.method, origin))


def _internal_error() -> Refusal:
    return Refusal("InternalError", "We encountered an internal error. Please try again.")


def _refused(refusal: Refusal, exchange: _Exchange) -> Answer:
    headers = CIMultiDict({"content-type": "application/xml"})
    return Answer(refusal.status, headers, refusal.document(exchange.request_id, exchange.host_id))


async def _send(incoming: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = _response(incoming, answer)
    if not incoming.content.is_eof():
        # A refused client may or may not send the bytes: what follows could not be told from a request.
        response.force_close()
    if isinstance(answer.body, bytes):
        return response
    # A client may leave before the end.
    with suppress(ConnectionError):
        await _stream(incoming, response, answer.body)
    return response


async def _stream(incoming: web.BaseRequest, response: web.StreamResponse, body: ClientResponse) -> None:
    async with body as source:
        await response.prepare(incoming)
        async for block in blocks(source):
            await response.write(block)
        await response.write_eof()


def _response(incoming: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    if incoming.method == "HEAD":
        answer.headers.setdefault("content-length", "0")
        return web.StreamResponse(status=answer.status, headers=answer.headers)
    if isinstance(answer.body, bytes):
        answer.headers.pop("content-length", None)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    return web.StreamResponse(status=answer.status, headers=answer.headers)
