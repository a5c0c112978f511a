"""Stopping the stack leaves no process behind, however it ends; what --data kept is there the next time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import ALICE, ROOT, eventually, running_stack


def children_of(pid: int) -> set[int]:
    """All descendants of a process."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, fresh = set[int](), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and not _is_zombie(pid)}


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "local", "up", "--json", "--port-base", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        started = children_of(process.pid)
        assert len(started) > 3
        os.kill(process.pid, how)
        process.wait(20)
        assert eventually(lambda: alive(started), lambda left: not left) == set()


def test_data_survives_a_restart_of_the_stack(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack, stack.api(stack.token(ALICE)) as api:
        session = api.post("/sessions", json={"data": {"kept": True}, "ttl_seconds": 600}).json()["id"]
    with running_stack(tmp_path) as stack, stack.api(stack.token(ALICE)) as api:
        assert api.get(f"/sessions/{session}").json()["data"] == {"kept": True}
