"""Where a file lies while it is parsed: alone, also when the process before was killed in the middle of another one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

_NAME: Final = "traffic-cop-parse"


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder of this process; before its first one, what dead processes left is removed."""
    _remove_leftovers(Path(tempfile.gettempdir()), os.getpid())
    with tempfile.TemporaryDirectory(prefix=f"{_NAME}-{os.getpid()}-") as folder:
        yield Path(folder)


@cache
def _remove_leftovers(place: Path, own_pid: int) -> None:
    # Lambda gives the next process of an environment the number of the one that was killed.
    for left in place.glob(f"{_NAME}-*"):
        pid = left.name.split("-")[3]
        if pid == str(own_pid) or not _runs(pid):
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:
        # It is another user's.
        return True
    return True
