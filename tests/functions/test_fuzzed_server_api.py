"""Whatever a backend sends: an answer or a refusal, and never an internal error."""

import json
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.realtime.server_api import ServerApi
from tests.functions.test_server_api import IMPLEMENTED
from tests.realtime.conftest import World, sent, world
from tests.support.auth import build_user_context_for_test

__all__ = ["sent", "world"]
NUMBERS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES: st.SearchStrategy[Any] = st.none() | NUMBERS | st.text(max_size=10) | st.sampled_from(["chat:a", "user:ann"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
SHAPES: st.SearchStrategy[Any] = VALUES | st.fixed_dictionaries({"offset": LEAVES, "epoch": LEAVES})
SHAPES |= st.fixed_dictionaries({"code": LEAVES, "reason": LEAVES})
SHAPES |= st.lists(st.dictionaries(st.sampled_from([*IMPLEMENTED]), VALUES, max_size=2), max_size=3)
FIELDS = "channel channels data b64data tags skip_history idempotency_key limit since reverse user client session"
FIELDS += " whitelist disconnect expression expire_at issued_before commands parallel"


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.sampled_from([*IMPLEMENTED, "batch"]),
    request=st.dictionaries(st.sampled_from(FIELDS.split()), SHAPES, max_size=6),
)
def test_no_request_is_an_internal_error(world: World, method: str, request: dict[str, Any]) -> None:
    realtime = world.realtime
    api = ServerApi(realtime.channels, realtime.roster, realtime.session_ends, realtime.redis)
    caller = replace(build_user_context_for_test(world.scope.label, permissions=["admin"]), source="api_key")
    assert '"code":100' not in msgspec.json.encode(api.answer(caller, method, json.dumps(request).encode())).decode()
