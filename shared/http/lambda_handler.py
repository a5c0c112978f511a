"""An app as a Lambda handler for API Gateway's HTTP API (payload 2.0)."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import FastAPI
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from shared.http.problems import MEDIA_TYPE
from shared.observe.metrics import measured


def lambda_handler(app: FastAPI) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The handler; JSON, text and problem documents go out as text, the rest in base64."""
    asyncio.set_event_loop(_event_loop())
    mangum = Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE])

    @measured
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        asyncio.set_event_loop(_event_loop())
        answer = mangum(event, context)
        # Names, sessions and parsed content are what users made of them.
        answer["headers"]["x-content-type-options"] = "nosniff"
        return answer

    return handler


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """Mangum wants the thread's current loop, which newer Pythons no longer make by themselves."""
    return asyncio.new_event_loop()
