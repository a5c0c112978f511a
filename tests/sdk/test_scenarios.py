"""The stock SDKs, unchanged, against the running stack: scenarios.py says what must come out.

`npm ci` in this folder installs the JavaScript one, as `.ci/run` does.
"""

import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.sdk import in_python
from tests.sdk.scenarios import NODE, PYTHON, SCENARIOS, Scenario
from tests.sdk.world import World, Worlds
from tests.support.stack import Stack

HERE = Path(__file__).parent
INSTALLED = shutil.which("node") is not None and (HERE / "node_modules" / "centrifuge").is_dir()


def in_node(name: str, world: World) -> Any:
    command = ["node", "in_node.mjs", name, json.dumps(asdict(world))]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


RUN = {PYTHON: in_python.run, NODE: in_node}


@pytest.fixture(scope="module")
def worlds(stack: Stack) -> Worlds:
    return Worlds(stack)


@pytest.mark.parametrize(
    ("sdk", "scenario"),
    [(sdk, scenario) for scenario in SCENARIOS for sdk in scenario.sdks],
    ids=[f"{sdk}-{scenario.name}" for scenario in SCENARIOS for sdk in scenario.sdks],
)
def test_a_stock_sdk_sees_what_centrifugo_would_show(sdk: str, scenario: Scenario, worlds: Worlds) -> None:
    if sdk == NODE and not INSTALLED and "TRAFFIC_COP_REQUIRE_ALL" not in os.environ:
        pytest.skip("needs Node and `npm ci` in tests/sdk; .ci/run does both")
    assert RUN[sdk](scenario.name, worlds.make()) == scenario.expected, scenario.promise
