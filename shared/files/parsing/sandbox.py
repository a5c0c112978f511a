"""Runs the parser in a process of its own: a hostile file can end that process and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.files.parsing import child
from shared.files.parsing.limits import RESULT_BYTES
from shared.observe.log import info

MEMORY_BYTES: Final = 1 << 30
SECONDS: Final = 60
_START_SECONDS: Final = 10
_FEWEST_SECONDS: Final = 5
_COMPRESSED: Final = frozenset((".gz", ".gzip"))


@dataclass(frozen=True)
class Outcome:
    """`status` is ready, failed, unsupported or limited; `result` is JSON, empty when there is none.

    `peak_bytes` is the most memory that the parser held; 0 when it did not live to tell.
    """

    status: str
    detail: str
    result: bytes = b""
    peak_bytes: int = 0


@dataclass(frozen=True)
class _Ran:
    """What a child said and how it ended; `code` is None when it had to be stopped."""

    code: int | None
    told: dict[str, Any] = field(default_factory=dict)
    result: bytes = b""
    errors: bytes = b""

    @property
    def crashed(self) -> bool:
        return not self.too_slow and self.code != 0

    @property
    def too_slow(self) -> bool:
        return self.code in (None, -signal.SIGXCPU)


def parse(
    path: Path, content_type: str, name: str, *, memory_bytes: int = MEMORY_BYTES, seconds: int = SECONDS
) -> Outcome:
    """What is in the file; never raises for anything that the file may hold."""
    began = time.monotonic()
    arguments = [str(path), content_type, _suffix(name), str(memory_bytes)]
    ran = _run(path, arguments, seconds)
    if ran.crashed and ran.told.get("form") == "pdf":
        left = max(_FEWEST_SECONDS, seconds - int(time.monotonic() - began))
        ran = _run(path, arguments, left, "careful")
    outcome = _outcome(ran, seconds)
    took = round((time.monotonic() - began) * 1000)
    form = ran.told.get("form")
    info("parse.read", form=form, status=outcome.status, peak_bytes=outcome.peak_bytes, milliseconds=took)
    return outcome


def _suffix(name: str) -> str:
    path = Path(name)
    return Path(path.stem if path.suffix.lower() in _COMPRESSED else name).suffix.lower()


def _run(path: Path, arguments: list[str], seconds: int, *more: str) -> _Ran:
    command = [sys.executable, "-sBP", "-m", child.__name__, *arguments, str(seconds), *more]
    watched, held = os.pipe()
    try:
        done = subprocess.run(
            command,
            stdin=watched,
            capture_output=True,
            env=_bare_environment(),
            cwd=path.parent,
            timeout=seconds + _START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _Ran(None)
    finally:
        os.close(watched)
        os.close(held)
    return _heard(done)


def _heard(done: "subprocess.CompletedProcess[bytes]") -> _Ran:
    told: dict[str, Any] = {}
    rest = done.stdout
    while rest and "status" not in told:
        line, _, rest = rest.partition(b"\n")
        told |= json.loads(line)
    return _Ran(done.returncode, told, rest, done.stderr)


def _bare_environment() -> dict[str, str]:
    # Above all no credentials, which a parser's hole would give away. Lambda's Python does not start without its
    # library path.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1", "LANG": "C.UTF-8"}


def _outcome(ran: _Ran, seconds: int) -> Outcome:
    if ran.too_slow:
        return Outcome("limited", f"parsing took longer than {seconds} seconds")
    if ran.crashed or "status" not in ran.told:
        return _crash(ran)
    peak = ran.told.get("peak_bytes", 0)
    if len(ran.result) > RESULT_BYTES:
        return Outcome("limited", "the result is too large", peak_bytes=peak)
    return Outcome(ran.told["status"], ran.told["detail"], ran.result, peak)


def _crash(ran: _Ran) -> Outcome:
    # Where it happened; the messages themselves may quote the tenant's data.
    lines = ran.errors.decode(errors="replace").splitlines()
    places = [line.strip() for line in lines if line.startswith("  File")]
    info("parse.child_ended", code=ran.code, form=ran.told.get("form"), places=places[-3:])
    return Outcome("failed", f"the parser was ended by the content ({_how(ran.code or 0)})")


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
