"""Runs a scenario with one of the stock SDKs; `npm ci` in this folder installs the JavaScript one (.ci/run does)."""

import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.sdk import in_python
from tests.sdk.scenarios import NODE, PYTHON
from tests.sdk.world import World

HERE = Path(__file__).parent
INSTALLED = shutil.which("node") is not None and (HERE / "node_modules" / "centrifuge").is_dir()


def in_node(name: str, world: World) -> Any:
    command = ["node", "in_node.mjs", name, json.dumps(asdict(world))]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def skip_unless_installed(sdk: str) -> None:
    if sdk == NODE and not INSTALLED and "TRAFFIC_COP_REQUIRE_ALL" not in os.environ:
        pytest.skip("needs Node and `npm ci` in tests/sdk; .ci/run does both")


RUN = {PYTHON: in_python.run, NODE: in_node}
