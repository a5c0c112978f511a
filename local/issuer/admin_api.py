"""What holders of the secret key call: users as an administrator sees them."""

from urllib.parse import urlencode

from aiohttp import web

from local.issuer.accounts import Account
from local.issuer.caller import CALLER
from local.issuer.errors import invalid, user_not_found
from local.issuer.one_time import LINK_TYPES
from local.issuer.project import Project
from local.issuer.requests import page_number, read_json

PER_PAGE = 50


class AdminApi:
    def __init__(self, project: Project) -> None:
        self._project = project

    def routes(self, prefix: str) -> list[web.AbstractRouteDef]:
        one = f"{prefix}/admin/users/{{id}}"
        return [
            web.get(f"{prefix}/admin/users", self._list),
            web.post(f"{prefix}/admin/users", self._create),
            web.post(f"{prefix}/admin/generate_link", self._generate_link),
            web.get(one, self._get),
            web.put(one, self._update),
            web.delete(one, self._delete),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        request[CALLER].require_admin()
        page = page_number(request, "page", 1)
        per_page = page_number(request, "per_page", PER_PAGE)
        accounts = sorted(self._project.accounts.all(), key=lambda account: -account.created_at)
        shown = accounts[(page - 1) * per_page : page * per_page]
        body = {"users": [account.view() for account in shown], "aud": "authenticated"}
        return web.json_response(body, headers=_paging(request, page, per_page, len(accounts)))

    async def _create(self, request: web.Request) -> web.Response:
        request[CALLER].require_admin()
        return web.json_response(self._project.create_account(await read_json(request)).view())

    async def _generate_link(self, request: web.Request) -> web.Response:
        request[CALLER].require_admin()
        fields = await read_json(request)
        kind = fields.get("type")
        if kind not in LINK_TYPES:
            raise invalid(f"Invalid email action link type requested: {kind}")
        account = self._project.accounts.with_email(str(fields.get("email", "")))
        if account is None:
            raise user_not_found()
        token = self._project.one_time.issue(account, self._project.now())
        target = str(fields.get("redirect_to") or "")
        query = urlencode({"token": token.hashed, "type": kind, "redirect_to": target})
        link = {
            "action_link": f"{request.url.origin()}{request.path.partition('/admin/')[0]}/verify?{query}",
            "email_otp": token.otp,
            "hashed_token": token.hashed,
            "verification_type": kind,
            "redirect_to": target,
        }
        return web.json_response(account.view() | link)

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._account(request).view())

    async def _update(self, request: web.Request) -> web.Response:
        account = self._account(request)
        self._project.update_account(account, await read_json(request))
        return web.json_response(account.view())

    async def _delete(self, request: web.Request) -> web.Response:
        account = self._account(request)
        soft = bool((await read_json(request)).get("should_soft_delete"))
        self._project.remove_account(account, soft)
        return web.json_response({})

    def _account(self, request: web.Request) -> Account:
        request[CALLER].require_admin()
        return self._project.accounts.get(request.match_info["id"])


def _paging(request: web.Request, page: int, per_page: int, total: int) -> dict[str, str]:
    """`X-Total-Count` and a `Link` header whose page numbers the clients read."""
    last = max(1, -(-total // per_page))
    links = [f'<{request.path}?page={last}&per_page={per_page}>; rel="last"']
    if page < last:
        links.insert(0, f'<{request.path}?page={page + 1}&per_page={per_page}>; rel="next"')
    return {"X-Total-Count": str(total), "Link": ", ".join(links)}
