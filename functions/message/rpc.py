"""The methods that clients may call with `rpc`; register an application's own here."""

from collections.abc import Callable
from typing import Final

import msgspec

from shared.auth.sockets import Socket

Method = Callable[[Socket, msgspec.Raw], object]

METHODS: Final[dict[str, Method]] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Registers a function; it gets the caller's socket and raw JSON data (`null` if none), and returns JSON data."""

    def register(function: Method) -> Method:
        METHODS[name] = function
        return function

    return register
