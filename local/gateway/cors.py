"""CORS by the gateway alone: functions see no preflight, browsers see no function's CORS headers."""

from collections.abc import Sequence

from local.gateway.http_messages import Request, Response
from local.gateway.settings import Cors


class CorsPolicy:
    def __init__(self, cors: Cors) -> None:
        self._cors = cors

    def is_preflight(self, request: Request) -> bool:
        return (
            request.method == "OPTIONS"
            and request.header("origin") is not None
            and request.header("access-control-request-method") is not None
        )

    def preflight(self, request: Request) -> Response:
        """204; without any permission in it when the origin is a stranger's."""
        headers = self._origin_headers(request)
        if headers:
            headers += _list_header("access-control-allow-methods", self._cors.allow_methods)
            headers += _list_header("access-control-allow-headers", self._cors.allow_headers)
            if self._cors.max_age is not None:
                headers.append(("access-control-max-age", str(self._cors.max_age)))
        return Response(204, headers)

    def decorate(self, request: Request, response: Response) -> Response:
        """The gateway's CORS headers in place of the function's."""
        kept = [(name, value) for name, value in response.headers if not name.startswith("access-control-")]
        own = self._origin_headers(request)
        if own:
            own += _list_header("access-control-expose-headers", self._cors.expose_headers)
        return Response(response.status, [*kept, *own], response.body)

    def _origin_headers(self, request: Request) -> list[tuple[str, str]]:
        origin = request.header("origin")
        allowed = self._allowed_origin(origin) if origin is not None else None
        if allowed is None:
            return []
        headers = [("access-control-allow-origin", allowed)]
        if allowed != "*":
            headers.append(("vary", "Origin"))
        if self._cors.allow_credentials:
            headers.append(("access-control-allow-credentials", "true"))
        return headers

    def _allowed_origin(self, origin: str) -> str | None:
        if "*" in self._cors.allow_origins:
            return "*"
        wildcards = (pattern for pattern in self._cors.allow_origins if pattern.endswith("://*"))
        if origin in self._cors.allow_origins or any(origin.startswith(w[:-1]) for w in wildcards):
            return origin
        return None


def _list_header(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, ",".join(values))] if values else []
