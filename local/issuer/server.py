"""The HTTP face of a Supabase project that `supabase` and `@supabase/supabase-js` can sign in against."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from local.issuer.accounts import Json
from local.issuer.admin_api import AdminApi
from local.issuer.caller import CALLER, ApiKeys, Caller, PlatformRefusal
from local.issuer.errors import API_VERSION, API_VERSION_HEADER, AuthError
from local.issuer.keys import SigningKeys
from local.issuer.project import Project, ProjectSettings
from local.issuer.user_api import UserApi

PREFIX = "/auth/v1"
JWKS_PATH = f"{PREFIX}/.well-known/jwks.json"
_PUBLIC = frozenset({JWKS_PATH, f"{PREFIX}/health"})
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Total-Count, Link, X-Supabase-Api-Version, x-sb-error-code",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, PATCH, POST, DELETE",
    "Access-Control-Max-Age": "3600",
}
_ALLOWED_HEADERS = "authorization, apikey, content-type, x-client-info, x-supabase-api-version"
_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SupabaseIssuer:
    """API keys are made up (`sb_publishable_…`, `sb_secret_…`) unless given or found in the state.

    `rate_limited` answers every client 429, `jwks_outage` makes the JWKS a 503;
    `jwks_requests` counts how often the JWKS was asked for.
    """

    def __init__(
        self,
        state_path: Path | None = None,
        anon_key: str | None = None,
        service_key: str | None = None,
        settings: ProjectSettings | None = None,
    ) -> None:
        self.project = Project(settings or ProjectSettings(), state_path)
        known = self.project.api_keys
        self.anon_key = anon_key or known.get("anon") or f"sb_publishable_{secrets.token_urlsafe(22)}"
        self.service_key = service_key or known.get("service") or f"sb_secret_{secrets.token_urlsafe(22)}"
        self.project.api_keys = {"anon": self.anon_key, "service": self.service_key}
        self.jwks_outage = False
        self.rate_limited = False
        self.jwks_requests = 0
        self.url = ""
        self._api_keys = ApiKeys(self.anon_key, self.service_key)
        self._runner: web.AppRunner | None = None

    @property
    def keys(self) -> SigningKeys:
        """`rotate()`, `revoke(kid)`, `current.private`, `legacy_secret`."""
        return self.project.keys

    def rotate(self) -> str:
        """Sign with a new ES256 key from now on, whose id is returned; earlier keys stay in the JWKS."""
        kid = self.keys.rotate().kid
        self.project.save()
        return kid

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one; `url` is the project's base, as `SUPABASE_URL` wants it."""
        app = web.Application(middlewares=[self._around])
        app.add_routes(UserApi(self.project).routes(PREFIX) + AdminApi(self.project).routes(PREFIX))
        app.add_routes(
            [
                web.get(JWKS_PATH, self._jwks),
                web.get(f"{PREFIX}/health", self._health),
                web.get(f"{PREFIX}/settings", self._settings),
                web.get("/rest/v1/", self._rest_root),
                web.route("*", "/rest/v1/{table:.+}", self._rest_table),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        self.project.tokens.issuer = self.url + PREFIX
        self.project.save()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def add_user(
        self,
        email: str,
        password: str,
        app_metadata: Json | None = None,
        user_metadata: Json | None = None,
    ) -> Json:
        """Create the user, or bring an existing one to this password and metadata; returns the User object."""
        fields = {"email": email, "password": password, "email_confirm": True}
        fields |= {"app_metadata": app_metadata or {}, "user_metadata": user_metadata or {}}
        account = self.project.accounts.with_email(email)
        if account is None:
            return self.project.create_account(fields).view()
        self.project.update_account(account, fields)
        return account.view()

    def session_for(self, email: str) -> Json:
        """Sign an existing user in without the password; returns the Session object."""
        account = self.project.accounts.with_email(email)
        if account is None:
            raise LookupError(f"no user has the address {email}")
        return self.project.sign_in(account, "password")

    @web.middleware
    async def _around(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_CORS | _PREFLIGHT | _allowed_headers(request))
        response = await self._answered(request, handler)
        response.headers.update(_CORS)
        return response

    async def _answered(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if request.path not in _PUBLIC:
                request[CALLER] = Caller(request, self._api_keys, self.project)
                if self.rate_limited:
                    raise AuthError(429, "over_request_rate_limit", "Request rate limit reached")
            return await handler(request)
        except AuthError as error:
            return _error(request, error)
        except PlatformRefusal as refusal:
            return web.json_response(refusal.body, status=401)
        except web.HTTPException as error:
            code = "not_found" if error.status == HTTPStatus.NOT_FOUND else "validation_failed"
            return _error(request, AuthError(error.status, code, error.reason))
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            message = "Unexpected failure, please check server logs for more information"
            return _error(request, AuthError(500, "unexpected_failure", message))

    async def _jwks(self, request: web.Request) -> web.Response:
        self.jwks_requests += 1
        if self.jwks_outage:
            raise AuthError(503, "unexpected_failure", "the JWKS is out of order on purpose")
        return web.json_response(self.keys.jwks(), headers={"Cache-Control": "public, max-age=600"})

    async def _health(self, request: web.Request) -> web.Response:
        about = "GoTrue is a user registration and authentication API"
        return web.json_response({"version": "v2.0-local", "name": "GoTrue", "description": about})

    async def _settings(self, request: web.Request) -> web.Response:
        settings = self.project.settings
        external = {"email": True, "phone": False, "anonymous_users": settings.anonymous_users}
        body = {
            "external": external,
            "disable_signup": settings.disable_signup,
            "mailer_autoconfirm": settings.autoconfirm,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
        }
        return web.json_response(body)

    async def _rest_root(self, request: web.Request) -> web.Response:
        info = {"title": "standard public schema", "version": "local"}
        return web.json_response({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})

    async def _rest_table(self, request: web.Request) -> web.Response:
        message = f"Could not find the table 'public.{request.match_info['table']}' in the schema cache"
        body = {"code": "PGRST205", "details": None, "hint": None, "message": message}
        return web.json_response(body, status=404)


def _allowed_headers(request: web.Request) -> dict[str, str]:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return {"Access-Control-Allow-Headers": asked or _ALLOWED_HEADERS}


def _error(request: web.Request, error: AuthError) -> web.Response:
    versioned = request.headers.get(API_VERSION_HEADER) == API_VERSION
    headers = {"x-sb-error-code": error.code}
    if versioned:
        headers[API_VERSION_HEADER] = API_VERSION
    return web.json_response(error.body(versioned), status=error.status, headers=headers)
