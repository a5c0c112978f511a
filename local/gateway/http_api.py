"""The HTTP API: routes requests to functions and answers CORS, quotas and failures itself."""

import json
import logging
from urllib.parse import unquote

from local.gateway import ids
from local.gateway.cors import CorsPolicy
from local.gateway.http_events import MalformedResponse, http_event, http_response
from local.gateway.http_messages import Request, Response, json_message
from local.gateway.http_routes import HttpRoutes, RouteMatch
from local.gateway.invoking import (
    Integration,
    IntegrationTimeout,
    InvokeError,
    InvokeThrottled,
    InvokeTimeout,
)
from local.gateway.settings import GatewaySettings
from local.gateway.throttle import RouteThrottles, TokenBucket

_log = logging.getLogger(__name__)


class HttpApi:
    """`port` is where it is served (for the forwarded headers)."""

    port = 0

    def __init__(self, settings: GatewaySettings, integration: Integration, account: TokenBucket) -> None:
        self._settings = settings
        self._integration = integration
        self._account = account
        self._routes = HttpRoutes(settings.http_routes)
        self._throttles = RouteThrottles(settings.http_throttles)
        self._cors = CorsPolicy(settings.cors) if settings.cors else None

    async def handle(self, request: Request) -> Response:
        request_id = ids.request_id()
        if self._cors is not None and self._cors.is_preflight(request):
            response = self._cors.preflight(request)
        else:
            response = await self._answer(request, request_id)
            if self._cors is not None:
                response = self._cors.decorate(request, response)
        response.headers = [*response.headers, ("apigw-requestid", request_id)]
        return response

    async def _answer(self, request: Request, request_id: str) -> Response:
        match = self._routes.find(request.method, unquote(request.path))
        if match is None:
            return json_message(404, "Not Found")
        if not (self._account.take() and self._throttles.take(match.route.key)):
            return json_message(429, "Too Many Requests")
        if request.body_too_large:
            return json_message(413, "Request Entity Too Large")
        event = http_event(self._settings, request, match, request_id, self.port)
        if _json_size(event) > self._settings.max_function_payload:
            return json_message(413, "Request Entity Too Large")
        return await self._run(match, event)

    async def _run(self, match: RouteMatch, event: object) -> Response:
        try:
            result = await self._integration.call(match.route.function, event, self._settings.http_timeout)
            if _json_size(result) > self._settings.max_function_payload:
                raise MalformedResponse("larger than Lambda's payload limit")
            return http_response(result)
        except (IntegrationTimeout, InvokeThrottled):
            return json_message(503, "Service Unavailable")
        except (InvokeError, InvokeTimeout, MalformedResponse) as error:
            _log.debug("%s failed: %r", match.route.key, error)
        except Exception:
            _log.exception("%s could not be invoked", match.route.function)
        return json_message(500, "Internal Server Error")


def _json_size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
