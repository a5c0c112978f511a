"""An app's backend, as it calls the channel function."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from functions.channel.routes import router
from local.issuer import ThreadedIssuer
from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.auth.identity import Permission
from shared.auth.revoked_sessions import RevokedSessions
from shared.http.app import create_app
from shared.http.lambda_handler import lambda_handler
from shared.http.pagination import Cursors
from shared.realtime.server_api import ServerApi
from shared.settings import Settings
from tests.functions.http_events import FunctionClient
from tests.realtime.conftest import World


@dataclass
class Backend:
    """An app's backend: the channel function, called with an API key unless a test says otherwise."""

    world: World
    client: FunctionClient
    keys: ApiKeys
    issuer: ThreadedIssuer

    def key(self, *permissions: Permission) -> dict[str, str]:
        return {"x-api-key": self.keys.create(self.world.scope, "test", permissions or [Permission.ADMIN])[0]}

    def token(self, *permissions: str, **claims: Any) -> dict[str, str]:
        metadata = {"tenant_id": self.world.scope.label, "permissions": list(permissions)}
        return {"authorization": f"Bearer {self.issuer.mint(**{'app_metadata': metadata, **claims})}"}

    def post(self, method: str, request: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        body = request if isinstance(request, bytes) else json.dumps(request or {}).encode()
        return self.client.post(f"/api/{method}", content=body, headers=headers or self.key())

    def result(self, method: str, request: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        answer = self.post(method, request, headers)
        assert answer.status_code == 200
        assert list(answer.json()) == ["result"], answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result

    def error(self, method: str, request: Any = None, headers: dict[str, str] | None = None) -> int:
        """The error's code; its form is checked."""
        answer = self.post(method, request, headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["error"], answer.text
        error = answer.json()["error"]
        assert set(error) == {"code", "message"}
        assert error["message"]
        return int(error["code"])


def backend_of(world: World, issuer: ThreadedIssuer) -> Backend:
    realtime, keys = world.realtime, ApiKeys(world.realtime.redis)
    app = create_app(
        "channels",
        [router],
        authenticator=Authenticator(Settings(supabase_url=issuer.url), revoked=RevokedSessions(realtime.redis)),
        api_keys=keys,
        redis=realtime.redis,
        channels=realtime.channels,
        roster=realtime.roster,
        server_api=ServerApi(realtime.channels, realtime.roster, realtime.session_ends, realtime.redis),
        cursors=Cursors("secret"),
    )
    return Backend(world, FunctionClient(lambda_handler(app)), keys, issuer)
