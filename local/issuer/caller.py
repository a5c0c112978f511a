"""Who calls the issuer: the API key and bearer token of a request, as Supabase's platform sees them."""

import hmac
from dataclasses import dataclass

from aiohttp import web

from local.issuer.accounts import Account, Json
from local.issuer.errors import AuthError
from local.issuer.project import Project
from local.issuer.sessions import Session

ADMIN_ROLES = frozenset({"service_role", "supabase_admin"})


class PlatformRefusal(Exception):
    """The platform stopped the request before Supabase Auth saw it: 401 with `message` and `hint`."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.body = {"message": message, "hint": hint}


@dataclass(frozen=True)
class ApiKeys:
    """`sb_publishable_…` and `sb_secret_…`; legacy ones are JWTs with a role and are checked as such."""

    publishable: str
    secret: str

    def role_of(self, key: str) -> str | None:
        given = key.encode("utf-8", "replace")
        if hmac.compare_digest(given, self.secret.encode()):
            return "service_role"
        return "anon" if hmac.compare_digest(given, self.publishable.encode()) else None


class Caller:
    """Raises `PlatformRefusal` when the API key is missing or wrong."""

    def __init__(self, request: web.Request, keys: ApiKeys, project: Project) -> None:
        self._project = project
        self._keys = keys
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        self.bearer = credential.strip() if scheme.lower() == "bearer" else ""
        self.api_key = request.headers.get("apikey") or request.query.get("apikey", "")
        self.role = self._platform_role(request.headers.get("User-Agent", ""))

    def require_admin(self) -> None:
        """The secret key, or a token whose role is an administrator's."""
        if self._bearer_is_api_key():
            if self.role in ADMIN_ROLES:
                return
        elif self._project.verify(self.bearer).get("role") in ADMIN_ROLES:
            return
        raise AuthError(403, "not_admin", "User not allowed")

    def user(self) -> tuple[Account, Session | None, Json]:
        if not self.bearer:
            raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
        if self._bearer_is_api_key():
            raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
        return self._project.identify(self.bearer)

    def _bearer_is_api_key(self) -> bool:
        return not self.bearer or self.bearer == self.api_key

    def _platform_role(self, user_agent: str) -> str:
        if not self.api_key:
            raise PlatformRefusal("No API key found in request", "No `apikey` request header or url param was found.")
        role = self._keys.role_of(self.api_key) or self._legacy_role()
        if role is None or (self.bearer.startswith("sb_") and self.bearer != self.api_key):
            raise PlatformRefusal("Invalid API key", "Double check your API key.")
        if self.api_key.startswith("sb_secret_") and user_agent.startswith("Mozilla/"):
            raise PlatformRefusal(
                "Forbidden use of secret API key in browser",
                "Secret API keys belong in a protected environment, never in a browser.",
            )
        return role

    def _legacy_role(self) -> str | None:
        """`anon` or `service_role` JWTs, signed with the project's shared secret."""
        if self.api_key.count(".") != 2:
            return None
        try:
            role = self._project.verify(self.api_key).get("role")
        except AuthError:
            return None
        return role if role in ("anon", "service_role") else None


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
"""Where the server leaves the caller for the handlers."""
