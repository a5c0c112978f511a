"""Where a running stack leaves word of itself, so that `traffic-cop token` (and people) find it."""

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.ports import DEFAULT_BASE
from local.refused import Refused

_ADDRESSES = "stack.json"


class NotRunning(Refused):
    """No stack was found; the message says how to start one."""


def _home() -> Path:
    """One folder per user, which nobody else can read: it holds keys."""
    home = Path(tempfile.gettempdir()) / f"traffic-cop-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{home} must be a folder that only you can read: remove it")
    return home


def _owner(folder: Path) -> int:
    pid = folder.name.partition("-")[0]
    return int(pid) if pid.isdigit() else 0


def _is_alive(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class RunDirectory:
    """The folder of this process's stack; those of stacks that were killed are removed on the way."""

    def __init__(self) -> None:
        home = _home()
        for old in home.iterdir():
            if not _is_alive(_owner(old)):
                shutil.rmtree(old, ignore_errors=True)
        self.path = Path(tempfile.mkdtemp(dir=home, prefix=f"{os.getpid()}-"))

    def announce(self, description: dict[str, Any]) -> None:
        """`description` needs `port_base`."""
        write_atomically(self.path / _ADDRESSES, json.dumps(description))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def find(port_base: int | None = None) -> dict[str, Any]:
    """The description of the stack at `port_base`; without one, of that at the default ports, else the newest's.

    Raises `NotRunning`.
    """
    for description in running():
        if port_base in (None, description["port_base"]):
            return description
    where = "" if port_base is None else f" at port base {port_base}"
    raise NotRunning(f"no stack is running{where}: start one with `traffic-cop up`")


def running() -> list[dict[str, Any]]:
    """The descriptions of all stacks that run: the one at the default ports first, then the newest."""
    # Tests run stacks of their own meanwhile; README's addresses are those of the default ports.
    found = sorted(_running(), key=lambda one: (one[1]["port_base"] == DEFAULT_BASE, one[0]), reverse=True)
    return [description for _, description in found]


def _running() -> Iterator[tuple[float, dict[str, Any]]]:
    for folder in _home().iterdir():
        file = folder / _ADDRESSES
        if _is_alive(_owner(folder)):
            with contextlib.suppress(OSError, ValueError):
                yield file.stat().st_mtime, json.loads(file.read_text())


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old or the new text, never half of one."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text)
    draft.replace(path)
