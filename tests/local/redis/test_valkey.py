"""The server process: ready when started, gone when stopped, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.redis import AsyncValkeyServer, ValkeyServer
from local.redis.valkey import ValkeyError


def runs(pid: int) -> bool:
    """A zombie does not run."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_data_survives_a_restart_only_in_a_data_directory(tmp_path: Path) -> None:
    for directory, kept in ((tmp_path / "new" / "data", b"v"), (None, None)):
        with ValkeyServer(directory) as first:
            first.command("SET", "k", "v")
        with ValkeyServer(directory) as second:
            assert second.command("GET", "k") == kept
    assert list((tmp_path / "new" / "data").glob("append*"))


def test_it_listens_on_the_loopback_interface_only() -> None:
    with ValkeyServer() as server:
        assert server.command("CONFIG", "GET", "bind") == [b"bind", b"127.0.0.1"]


def test_a_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("VALKEY_SERVER", str(broken))
    with pytest.raises(ValkeyError, match="out of luck"):
        ValkeyServer().start()


def test_stopping_twice_is_harmless() -> None:
    server = ValkeyServer().start()
    pid = server.pid
    server.stop()
    server.stop()
    assert not runs(pid)


def test_it_starts_and_stops_on_an_event_loop(tmp_path: Path) -> None:
    async def use() -> int:
        server = AsyncValkeyServer()
        await server.start(tmp_path)
        assert server.command("PING") == b"PONG"
        pid = server.pid
        await server.stop()
        return pid

    assert not runs(asyncio.run(use()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel feature is Linux's")
def test_it_dies_with_a_parent_that_was_killed() -> None:
    code = "from local.redis import ValkeyServer; s = ValkeyServer().start(); print(s.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        pid = int(parent.stdout.readline())
        assert runs(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        while runs(pid):
            pass
