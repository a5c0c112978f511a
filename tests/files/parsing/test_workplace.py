"""What an environment that was killed while parsing left behind is gone before the next file is parsed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.files.parsing.workplace import workplace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_workplace_is_gone_afterwards(place: Path) -> None:
    with workplace() as folder:
        (folder / "content").write_bytes(b"x")
        assert folder.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


def test_what_the_dead_left_is_removed_and_nothing_else(place: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f"traffic-cop-parse-{pid}-x" for pid in (dead.pid, os.getpid(), os.getppid())]
    for name in (*names, "traffic-cop-parse-strange-x", "another"):
        (place / name).mkdir()
        (place / name / "content").write_bytes(b"x")
    with workplace() as folder:
        assert {path.name for path in place.iterdir()} == {names[2], "another", folder.name}


def test_two_at_once_leave_each_other_alone(place: Path) -> None:
    with workplace() as one, workplace() as other:
        assert one.exists()
        assert other.exists()
