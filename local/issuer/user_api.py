"""What users call: sign up, sign in, refresh, read and change themselves, sign out."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from local.issuer import passwords
from local.issuer.accounts import Account, Json, clean_email, merged
from local.issuer.caller import CALLER
from local.issuer.errors import AuthError, invalid
from local.issuer.project import Project
from local.issuer.requests import read_json


class UserApi:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._grants: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "password": self._grant_for_password,
            "refresh_token": self._grant_for_refresh_token,
        }

    def routes(self, prefix: str) -> list[web.AbstractRouteDef]:
        return [
            web.post(f"{prefix}/signup", self._sign_up),
            web.post(f"{prefix}/token", self._token),
            web.post(f"{prefix}/verify", self._verify),
            web.get(f"{prefix}/user", self._get_user),
            web.put(f"{prefix}/user", self._put_user),
            web.post(f"{prefix}/logout", self._sign_out),
        ]

    async def _sign_up(self, request: web.Request) -> web.Response:
        fields = await read_json(request)
        settings = self._project.settings
        if settings.disable_signup:
            raise AuthError(422, "signup_disabled", "Signups not allowed for this instance")
        if fields.get("phone"):
            raise AuthError(422, "phone_provider_disabled", "Phone signups are disabled")
        if not fields.get("email") and not fields.get("password"):
            return self._sign_up_anonymously(fields)
        account = await self._new_account(fields)
        if not settings.autoconfirm:
            return web.json_response(account.view())
        return web.json_response(self._project.sign_in(account, "password"))

    async def _new_account(self, fields: Json) -> Account:
        password = fields.get("password")
        if not password:
            raise invalid("Signup requires a valid password")
        password = passwords.check_strength(password)
        email = clean_email(fields.get("email"))
        if self._project.accounts.with_email(email) is not None:
            raise AuthError(422, "user_already_exists", "User already registered")
        account = await asyncio.to_thread(self._project.new_account, email, password)
        confirmed = self._project.settings.autoconfirm
        account.email_confirmed_at = self._project.now() if confirmed else None
        said = merged({}, fields.get("data") or {}, "data")
        proven = {"email": email, "email_verified": confirmed, "phone_verified": False, "sub": account.id}
        account.user_metadata = said | proven
        if self._project.accounts.with_email(email) is not None:
            raise AuthError(422, "user_already_exists", "User already registered")
        self._project.accounts.add(account)
        self._project.save()
        return account

    def _sign_up_anonymously(self, fields: Json) -> web.Response:
        if not self._project.settings.anonymous_users:
            raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        account = self._project.new_account("", None)
        account.is_anonymous, account.app_metadata = True, {}
        account.user_metadata = merged({}, fields.get("data") or {}, "data")
        self._project.accounts.add(account)
        return web.json_response(self._project.sign_in(account, "anonymous"))

    async def _token(self, request: web.Request) -> web.Response:
        grant = self._grants.get(request.query.get("grant_type", ""))
        if grant is None:
            raise invalid("unsupported_grant_type")
        return web.json_response(await grant(await read_json(request)))

    async def _grant_for_password(self, fields: Json) -> Json:
        given = (fields.get("email"), fields.get("password"))
        account = await asyncio.to_thread(self._project.check_password, *given)
        return self._project.sign_in(account, "password")

    async def _grant_for_refresh_token(self, fields: Json) -> Json:
        return self._project.refresh(fields.get("refresh_token"))

    async def _verify(self, request: web.Request) -> web.Response:
        return web.json_response(self._project.sign_in_once(await read_json(request)))

    async def _get_user(self, request: web.Request) -> web.Response:
        account, _, _ = request[CALLER].user()
        return web.json_response(account.view())

    async def _put_user(self, request: web.Request) -> web.Response:
        account, session, claims = request[CALLER].user()
        fields = await read_json(request)
        if fields.get("app_metadata") is not None and claims.get("role") != "service_role":
            raise AuthError(403, "not_admin", "Updating app_metadata requires admin privileges")
        if fields.get("email"):
            self._change_email(account, fields["email"])
        if fields.get("password"):
            if passwords.matches(str(fields["password"]), account.password_hash):
                message = "New password should be different from the old password."
                raise AuthError(422, "same_password", message)
            self._project.set_password(account, fields["password"], keep=session)
        if fields.get("data") is not None:
            account.user_metadata = merged(account.user_metadata, fields["data"], "data")
        account.updated_at = self._project.now()
        self._project.save()
        return web.json_response(account.view())

    def _change_email(self, account: Account, email: object) -> None:
        address = self._project.accounts.free_email(email, account)
        if self._project.settings.autoconfirm:
            account.email, account.is_anonymous = address, False
        else:
            account.new_email = address

    async def _sign_out(self, request: web.Request) -> web.Response:
        scope = request.query.get("scope", "global") or "global"
        if scope not in ("global", "local", "others"):
            raise invalid(f'Unsupported logout scope "{scope}"')
        account, session, _ = request[CALLER].user()
        if scope == "local" and session is not None:
            self._project.sessions.close(session)
        else:
            self._project.sessions.close_for(account.id, keep=session if scope == "others" else None)
        self._project.save()
        return web.Response(status=204)
