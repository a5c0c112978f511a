"""A tiny app on the HTTP layer, called as API Gateway calls it."""

import secrets
from typing import Any

import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from local.redis import ThreadedUpstash
from shared import errors
from shared.auth.identity import Identity, Permission
from shared.http.app import create_app
from shared.http.lambda_handler import lambda_handler
from shared.http.requests import body_of
from shared.settings import Settings
from shared.state.client import Redis
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.functions.http_events import FunctionClient


class Point(BaseModel):
    x: int
    y: int = 0


@pytest.fixture
def client() -> FunctionClient:
    router = APIRouter()

    @router.get("/fail/{name}")
    def fail(name: str) -> None:
        raise getattr(errors, name)("this happened")

    @router.get("/crash")
    def crash() -> None:
        raise RuntimeError("secret")

    @router.post("/points")
    def points(point: Point = Depends(body_of(Point, max_bytes=100))) -> Any:  # noqa: B008
        return {"x": point.x, "y": point.y}

    return FunctionClient(lambda_handler(create_app("test", [router])))


@pytest.fixture(scope="module")
def store(upstash: ThreadedUpstash) -> Redis:
    return Redis.from_settings(
        Settings(upstash_redis_rest_url=upstash.rest_url, upstash_redis_rest_token=upstash.token)
    )


@pytest.fixture
def caller() -> Identity:
    scope = TenantScope(f"t{secrets.token_hex(6)}", SCOPE_SEAL)
    return Identity(scope, "ann", frozenset({Permission.WRITE}), "s", 0, 0, "token")
