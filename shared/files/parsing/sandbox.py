"""Runs the parser in a process of its own: a hostile file can end that process and nothing else."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.files.parsing import child
from shared.files.parsing.limits import RESULT_BYTES
from shared.observe.log import info

MEMORY_BYTES: Final = 640 << 20
SECONDS: Final = 60
_START_SECONDS: Final = 10


@dataclass(frozen=True)
class Outcome:
    """`status` is ready, failed, unsupported or limited; `result` is JSON, empty when there is none."""

    status: str
    detail: str
    result: bytes = b""


def parse(
    path: Path, content_type: str, name: str, *, memory_bytes: int = MEMORY_BYTES, seconds: int = SECONDS
) -> Outcome:
    """What is in the file; never raises for anything that the file may hold."""
    command = [sys.executable, "-sBP", "-m", child.__name__, str(path)]
    arguments = [content_type, Path(name).suffix.lower(), str(memory_bytes), str(seconds)]
    watched, held = os.pipe()
    try:
        done = subprocess.run(
            command + arguments,
            stdin=watched,
            capture_output=True,
            env=_bare_environment(),
            cwd=path.parent,
            timeout=seconds + _START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _too_slow(seconds)
    finally:
        os.close(watched)
        os.close(held)
    return _too_slow(seconds) if done.returncode == -signal.SIGXCPU else _outcome(done)


def _too_slow(seconds: int) -> Outcome:
    return Outcome("limited", f"parsing took longer than {seconds} seconds")


def _bare_environment() -> dict[str, str]:
    # Above all no credentials, which a parser's hole would give away. Lambda's Python does not start without its
    # library path.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1", "LANG": "C.UTF-8"}


def _outcome(done: "subprocess.CompletedProcess[bytes]") -> Outcome:
    if done.returncode != 0:
        # Where it happened; the messages themselves may quote the tenant's data.
        places = [
            line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("  File")
        ]
        info("parse.child_ended", code=done.returncode, places=places[-3:])
        return Outcome("failed", f"the parser was ended by the content ({_how(done.returncode)})")
    head, _, result = done.stdout.partition(b"\n")
    told = json.loads(head)
    if len(result) > RESULT_BYTES:
        return Outcome("limited", "the result is too large")
    return Outcome(told["status"], told["detail"], result)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
