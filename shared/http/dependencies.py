"""What routes ask for: the caller, who has proven himself and may do the operation, and parsed headers."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query, Request

from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.auth.identity import Identity
from shared.auth.permissions import PERMISSIONS, require
from shared.errors import NoTenant, Unauthorized

MAX_PAGE: Final = 200
_DOTS_IN_TOKEN: Final = 2


def identify(request: Request) -> Identity:
    """The identity behind the request's credential: an API key (X-API-Key, `Authorization: apikey …`) or a token.

    Raises Unauthorized and its kin, or NoTenant.
    """
    api_key, token = _credentials(request.headers)
    if api_key:
        keys: ApiKeys = request.app.state.api_keys
        return _in_tenant(keys.identify(api_key), _asked_tenant(request))
    if not token:
        raise Unauthorized("send Authorization: Bearer <access token>, or X-API-Key: <key>")
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator.from_token(token, _asked_tenant(request))


def _credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    """An API key, or an access token: `cent` sends either as a key, and only tokens have dots."""
    scheme, _, credential = headers.get("authorization", "").strip().partition(" ")
    sent = {scheme.lower(): credential.strip()}
    api_key, token = headers.get("x-api-key") or sent.get("apikey", ""), sent.get("bearer", "")
    return ("", api_key) if api_key.count(".") == _DOTS_IN_TOKEN else (api_key, token)


def _in_tenant(identity: Identity, asked: str | None) -> Identity:
    if asked not in (None, identity.scope.label):
        raise NoTenant("the API key is another tenant's")
    return identity


def _asked_tenant(request: Request) -> str | None:
    return request.headers.get("x-tenant-id") or request.query_params.get("tenant") or None


Caller = Annotated[Identity, Depends(identify)]


def permitted(operation: str) -> Any:
    """A dependency: the caller, who has the permission that the operation's row in the table wants."""
    if operation not in PERMISSIONS:
        raise KeyError(f"no row in the permissions table: {operation}")

    def check(caller: Caller) -> Identity:
        require(caller, operation)
        return caller

    return Depends(check)


def service(name: str) -> Any:
    """A dependency: what `create_app` was given under that name."""

    def held(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(held)


IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]
IfMatch = Annotated[str | None, Header(alias="If-Match")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match")]
PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
