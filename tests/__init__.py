"""The suite; three of its helpers are for your own tests, too: see tests/support/auth.py.

They are imported when asked for, because Lambda workers that run a test's handler import this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.auth import (
        build_user_context_for_test,
        build_user_context_from_token,
        get_test_supabase_token,
    )

__all__ = ["build_user_context_for_test", "build_user_context_from_token", "get_test_supabase_token"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tests' has no attribute {name!r}")
    return getattr(import_module("tests.support.auth"), name)
