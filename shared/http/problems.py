"""Errors as `application/problem+json` (RFC 9457), from the one catalogue."""

import json
import logging
import traceback
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared import errors
from shared.errors import Internal, Invalid, TrafficCopError
from shared.http.complaints import complaint, summary
from shared.http.requests import request_id
from shared.observe.log import log

MEDIA_TYPE: Final = "application/problem+json"
_BY_STATUS: Final[Mapping[int, type[TrafficCopError]]] = {
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.TooLarge,
    415: errors.UnsupportedType,
    422: errors.Invalid,
}


def answer_with_problems(app: FastAPI) -> None:
    """Every error that leaves the app becomes a problem document."""
    app.add_exception_handler(TrafficCopError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _by_status)
    app.add_exception_handler(Exception, _unexpected)


def problem(error: TrafficCopError, instance: str, headers: Mapping[str, str] | None = None) -> Response:
    """The document: `type`, `title`, `status`, `detail`, `instance` (the request's id), `code` and the error's own."""
    document = {
        "type": f"urn:traffic-cop:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail or error.title,
        "instance": instance,
        "code": error.code,
        **error.extra,
    }
    content = json.dumps(document, ensure_ascii=False, default=str).encode(errors="replace")
    return Response(content, error.status, {**_headers(error), **(headers or {})}, MEDIA_TYPE)


def _headers(error: TrafficCopError) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, error.retry_after))
    elif error.status in (429, 503):
        headers["Retry-After"] = "1"
    if error.status == 412 and "version" in error.extra:
        headers["ETag"] = f'"{error.extra["version"]}"'
    if error.status == 401:
        challenge = "" if error.code == "unauthorized" else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="traffic-cop"{challenge}'
    return headers


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrafficCopError)  # noqa: S101 (for the type checker; Starlette promises it)
    if error.status >= 500:
        _log(request, error)
    return problem(error, request_id(request), _accept_patch(request, error))


def _accept_patch(request: Request, error: TrafficCopError) -> dict[str, str]:
    """What a refused PATCH may send instead (RFC 5789)."""
    accepted = error.extra.get("accepted") if request.method == "PATCH" else None
    return {"Accept-Patch": ", ".join(accepted)} if accepted else {}


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    told = [(str(item["loc"][-1]), complaint(item)) for item in error.errors()]
    wrong = Invalid(summary(told), [{"detail": text, "parameter": name} for name, text in told])
    return problem(wrong, request_id(request))


def _by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = _BY_STATUS.get(error.status_code, errors.Internal)
    allowed = {"Allow": _allowed(request)} if error.status_code == 405 else {}
    return problem(known(), request_id(request), {**(error.headers or {}), **allowed})


def _allowed(request: Request) -> str:
    """All the methods of the resource; Starlette names those of the first route only."""
    routes = (route for route in request.app.state.routes if route.matches(request.scope)[0] is Match.PARTIAL)
    return ", ".join(sorted({method for route in routes for method in route.methods}))


def _unexpected(request: Request, error: Exception) -> Response:
    _log(request, error)
    return problem(Internal(), request_id(request))


def _log(request: Request, error: Exception) -> None:
    members: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
    trace = traceback.format_exception(error)
    log(logging.ERROR, "http.failed", request_id=request_id(request), trace=trace, **members)
