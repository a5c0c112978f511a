"""FastAPI as all our HTTP functions use it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from shared.http.problems import answer_with_problems


def create_app(title: str, routers: Sequence[APIRouter], **services: Any) -> FastAPI:
    """An app that answers errors as problem documents.

    `services` are put where dependencies find them (`request.app.state.<name>`); `authenticator` and
    `api_keys` are among them.
    """
    app = FastAPI(title=title, openapi_url=None, redirect_slashes=False)
    for name, service in services.items():
        setattr(app.state, name, service)
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes]
    answer_with_problems(app)
    return app
