"""What we use of the published `upstash_redis`, imported without the HTTP client that it will not use.

httpx is more than half of the package's import time, and constructing its client takes another 30 ms.
"""

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any


class _Deferred(types.ModuleType):
    """Stands for a module until somebody wants something of it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _deferring(name: str) -> Iterator[None]:
    """Whoever imports `name` inside gets it when he first uses it; everybody else is unaffected."""
    if name in sys.modules or TYPE_CHECKING:
        yield
        return
    sys.modules[name] = _Deferred(name)
    try:
        yield
    finally:
        del sys.modules[name]


with _deferring("httpx"):
    from upstash_redis import Redis
    from upstash_redis.errors import UpstashError
    from upstash_redis.http import decode, make_headers

__all__ = ["Redis", "UpstashError", "decode", "make_headers"]
