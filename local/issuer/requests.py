"""Bodies and page numbers of requests, as lenient and as strict as Supabase Auth reads them."""

import json
from typing import cast

from aiohttp import web

from local.issuer.accounts import Json
from local.issuer.errors import AuthError, invalid


async def read_json(request: web.Request) -> Json:
    """The body as an object (an empty body is an empty one); content type is not looked at."""
    text = await request.text()
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        message = f"Could not parse request body as JSON: {error}"
        raise AuthError(400, "bad_json", message) from error
    if not isinstance(value, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON: it must be an object")
    return cast(Json, value)


def page_number(request: web.Request, name: str, default: int) -> int:
    """Clients send these empty, too."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise invalid(f"Bad Pagination Parameters: invalid {name}")
    return int(text)
