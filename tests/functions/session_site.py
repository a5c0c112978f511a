"""The session function with real tokens and a real Redis, called as API Gateway calls it."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.session.routes import router
from local.issuer import ThreadedIssuer
from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.http.app import create_app
from shared.http.idempotency import Idempotency
from shared.http.lambda_handler import lambda_handler
from shared.http.pagination import Cursors
from shared.settings import Settings
from tests.functions.http_events import FunctionClient
from tests.sessions.conftest import Team, sent, team

__all__ = ["sent", "team"]
PATCHING = {"content_type": "application/merge-patch+json"}


@dataclass
class Site:
    """The session function and its clients; the tenant is the team's."""

    app: FastAPI
    client: FunctionClient
    team: Team
    issuer: ThreadedIssuer
    api_keys: ApiKeys

    def token(self, user: str = "ann", *permissions: str, tenant: str = "") -> str:
        granted = list(permissions or ("read", "write"))
        metadata = {"tenant_id": tenant or self.team.scope.label, "permissions": granted}
        return self.issuer.mint(sub=user, app_metadata=metadata)

    def call(self, method: str, path: str, body: Any = None, *, user: str = "ann", **headers: str) -> httpx.Response:
        sent_headers = {"authorization": f"Bearer {self.token(user)}"}
        sent_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, headers=sent_headers, json=body)

    def create(self, user: str = "ann", **members: Any) -> dict[str, Any]:
        answer = self.call("POST", "/sessions", members, user=user)
        assert answer.status_code == 201, answer.text
        session: dict[str, Any] = answer.json()
        return session


@pytest.fixture
def site(team: Team, issuer: ThreadedIssuer) -> Site:
    redis = team.realtime.redis
    api_keys = ApiKeys(redis)
    app = create_app(
        "sessions",
        [router],
        authenticator=Authenticator(Settings(supabase_url=issuer.url)),
        api_keys=api_keys,
        sessions=team.sessions,
        lists=team.lists,
        idempotency=Idempotency(redis),
        cursors=Cursors("secret"),
        channels=team.realtime.channels,
    )
    return Site(app, FunctionClient(lambda_handler(app)), team, issuer, api_keys)


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, checked for form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document.keys() >= {"type", "title", "status", "detail", "instance", "code"}
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"].endswith(code)
    return document
