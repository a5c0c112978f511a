"""The stock `centrifuge` SDK of npm in Node; `npm ci` in this folder installs it, as `.ci/run` does."""

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import ALICE, AMIR, Stack

HERE = Path(__file__).parent
INSTALLED = shutil.which("node") is not None and (HERE / "node_modules" / "centrifuge").is_dir()

pytestmark = pytest.mark.skipif(
    not INSTALLED and "TRAFFIC_COP_REQUIRE_ALL" not in os.environ,
    reason="needs Node and `npm ci` in tests/sdk; .ci/run does both",
)


def run(stack: Stack, scenario: str) -> Any:
    settings = {
        "url": stack.websocket,
        "token": stack.token(ALICE),
        "other": stack.token(AMIR),
        "channel": f"chat:{secrets.token_hex(4)}",
    }
    command = ["node", "scenarios.mjs", scenario, json.dumps(settings)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_subscribe_publish_presence_history_and_rpc(stack: Stack) -> None:
    assert run(stack, "basics") == {
        "heard": [{"n": 1}, "two", [3]],
        "clients": 1,
        "stats": {"numClients": 1, "numUsers": 1},
        "offset": 3,
        "past": [{"n": 1}, "two", [3]],
        "ping": {},
    }


def test_the_subprotocol_may_carry_the_token(stack: Stack) -> None:
    assert run(stack, "subprotocol") == {"ok": True}


def test_without_a_token_the_sdk_fetches_one_once(stack: Stack) -> None:
    assert run(stack, "fresh") == {"asked": 1}


def test_a_dropped_connection_recovers(stack: Stack) -> None:
    assert run(stack, "recovery") == {"heard": [1, 2, 3], "recovered": True}


def test_strict_mode_ends_subscribed(stack: Stack) -> None:
    assert run(stack, "strict_mode") == {"heard": ["here"]}
