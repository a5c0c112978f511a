"""The parts that every operation of the HTTP API's document shares: headers, parameters, credentials, problems."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared import errors
from shared.errors import TrafficCopError
from shared.http.dependencies import MAX_PAGE
from shared.http.problems import MEDIA_TYPE

Json = dict[str, Any]
REF: Final = "#/components/schemas/{name}"
_RESPONSES: Final = "#/components/responses/"
_BY_STATUS: Final[Mapping[int, Sequence[str]]] = {
    401: ["WWW-Authenticate"],
    409: ["Retry-After"],
    412: ["ETag"],
    415: ["Accept-Patch"],
    429: ["Retry-After"],
    503: ["Retry-After"],
}
_ID: Final = "6f0d5b1f4a3c4f0e9b7a2d1c8e5f6a7b"

SECURITY_SCHEMES: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A Supabase access token.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A backend's key, `tck_<tenant>_<secret>`; `Authorization: apikey <key>` does as well.",
    },
}

HEADERS: Final[Json] = {
    "ETag": {
        "description": "The version, for If-Match and If-None-Match.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "example": '"7"',
    },
    "Location": {
        "description": "Where it is.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/sessions/{_ID}",
    },
    "Accept-Patch": {
        "description": "Of a PATCH: what it may send.",
        "schema": {"type": "string"},
        "example": "application/merge-patch+json, application/json",
    },
    "Idempotent-Replayed": {
        "description": "The answer is that of the first request with this Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "WWW-Authenticate": {
        "description": "The challenge; `invalid_token` for a credential that is no good.",
        "required": True,
        "schema": {"type": "string"},
        "example": 'Bearer realm="traffic-cop", error="invalid_token"',
    },
}

# What FastAPI does not know of a parameter, by its name.
PARAMETERS: Final[dict[str, Json]] = {
    "If-Match": {"description": "Do it to this version only (an ETag, or `*`).", "example": '"7"'},
    "If-None-Match": {"description": "Answer 304 if this is still the version (an ETag).", "example": '"7"'},
    "Idempotency-Key": {
        "description": "The same key again within 24 hours gets the first answer again.",
        "example": "order-4711",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    "limit": {"description": f"How many at most, up to {MAX_PAGE}; a page may be shorter.", "example": 50},
    "cursor": {"description": "The `next_cursor` of the page before, with the same filter.", "example": ""},
    "owner": {"description": "Only those of this user.", "example": "5f1c7c0e-8f53-4d0e-9c2f-0d4b6a1d2c3e"},
    "status": {"description": "Only those in this state.", "example": "active"},
    "session_id": {"description": "The session's id.", "example": _ID},
    "file_id": {"description": "The file's id.", "example": _ID},
    "number": {"description": "The part's number.", "example": 1},
    "connection": {"description": "The connection's id.", "example": "BFaVtfGSIAMCKug="},
}
_TENANT: Final = "Which tenant, for users of several; another tenant than the credential's is answered 403."
COMMON_PARAMETERS: Final[Json] = {
    "TenantHeader": {
        "name": "X-Tenant-Id",
        "in": "header",
        "description": _TENANT,
        "schema": {"type": "string"},
        "example": "acme",
    },
    "TenantQuery": {
        "name": "tenant",
        "in": "query",
        "description": f"{_TENANT} The header comes first.",
        "schema": {"type": "string"},
        "example": "acme",
    },
}


def problem_schema() -> Json:
    """Problem documents (RFC 9457); single problems have more members."""
    place = {
        "type": "object",
        "properties": {
            "detail": {"type": "string"},
            "pointer": {"type": "string", "description": "JSON Pointer into the body, as a fragment."},
            "parameter": {"type": "string", "description": "The query, path or header parameter."},
        },
        "required": ["detail"],
    }
    return {
        "type": "object",
        "title": "Problem",
        "description": "A problem document (RFC 9457); some problems have more members, such as `version` or `limit`.",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "The request's id, which our logs have too."},
            "code": {"type": "string", "enum": sorted(kind.code for kind in _kinds())},
            "errors": {"type": "array", "items": place, "description": "Where the payload is wrong."},
        },
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "additionalProperties": True,
    }


def problem_reference(status: int, codes: Iterable[str]) -> str:
    """Where the response of one status stands, with all the problems that it may be."""
    return _RESPONSES + ".".join([str(status), *sorted(codes)])


def problem_responses(paths: Json) -> Json:
    """The problem responses that the paths refer to, by name."""
    names = set(re.findall(f'"{_RESPONSES}([^"]+)"', json.dumps(paths)))
    by_code = {kind.code: kind for kind in _kinds()}
    return {name: _response([by_code[code] for code in name.split(".")[1:]]) for name in names}


def _kinds() -> list[type[TrafficCopError]]:
    found = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return [kind for kind in found if issubclass(kind, TrafficCopError) and kind is not TrafficCopError]


def _response(kinds: list[type[TrafficCopError]]) -> Json:
    response: Json = {
        "description": " ".join(f"`{kind.code}`: {kind.__doc__ or kind.title}" for kind in kinds),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": REF.format(name="Problem")},
                "examples": {kind.code: {"value": _example(kind)} for kind in kinds},
            }
        },
    }
    headers = _BY_STATUS.get(kinds[0].status, ())
    if headers:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return response


def _example(kind: type[TrafficCopError]) -> Json:
    more = {"errors": [{"detail": "is missing", "pointer": "#/name"}]} if kind is errors.Invalid else {}
    return {
        "type": f"urn:traffic-cop:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title,
        "instance": "JKJaXmPLvHcESHA=",
        "code": kind.code,
        **more,
    }
