"""Picks a message's route by the API's route selection expression."""

import json
import re
from collections.abc import Iterable

_TERM = re.compile(r"\$\{request\.body\.([^}]+)\}|\$request\.body\.([A-Za-z0-9_.\-\[\]]+)")
_STEP = re.compile(r"[^.\[\]]+")


class RouteSelection:
    """`expression` is `$request.body.action` or a text with `${request.body.x.y}` in it."""

    def __init__(self, expression: str, route_keys: Iterable[str]) -> None:
        self._expression = expression
        self._keys = {key for key in route_keys if not key.startswith("$")}

    def route_key(self, text: str) -> str:
        """A declared key, or `$default` for what is no JSON or matches none."""
        if not self._keys:
            return "$default"
        try:
            body = json.loads(text)
        except ValueError:
            return "$default"
        value = _TERM.sub(lambda term: _pick(body, term[1] or term[2]), self._expression)
        return value if value in self._keys else "$default"


def _pick(value: object, path: str) -> str:
    for step in _STEP.findall(path):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
