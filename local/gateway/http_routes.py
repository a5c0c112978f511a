"""Routes HTTP requests in API Gateway's order: exact path, variables, `{proxy+}`, `$default`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.gateway.settings import HttpRoute

_STATIC, _VARIABLE, _GREEDY = 0, 1, 2


@dataclass(frozen=True)
class RouteMatch:
    route: HttpRoute
    path_parameters: Mapping[str, str]


class HttpRoutes:
    def __init__(self, routes: Iterable[HttpRoute]) -> None:
        self._default: HttpRoute | None = None
        self._routes = []
        for route in routes:
            if route.path == "$default":
                self._default = route
            else:
                self._routes.append(route)
        self._routes.sort(key=_precedence)

    def find(self, method: str, path: str) -> RouteMatch | None:
        """`path` is decoded; the first of the most specific routes wins."""
        segments = path.split("/")[1:]
        for route in self._routes:
            parameters = _match(route.path.split("/")[1:], segments)
            if parameters is not None and route.method in ("ANY", method):
                return RouteMatch(route, parameters)
        return RouteMatch(self._default, {}) if self._default else None


def _kind(segment: str) -> int:
    if not segment.startswith("{"):
        return _STATIC
    return _GREEDY if segment.endswith("+}") else _VARIABLE


def _precedence(route: HttpRoute) -> tuple[list[int], int, bool]:
    kinds = [_kind(segment) for segment in route.path.split("/")[1:]]
    return kinds, -len(kinds), route.method == "ANY"


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for index, part in enumerate(pattern):
        kind = _kind(part)
        if kind == _GREEDY:
            rest = "/".join(segments[index:])
            return {**parameters, part[1:-2]: rest} if rest else None
        if index >= len(segments) or (kind == _STATIC and part != segments[index]):
            return None
        if kind == _VARIABLE:
            if not segments[index]:
                return None
            parameters[part[1:-1]] = segments[index]
    return parameters if len(pattern) == len(segments) else None
