"""Runs the parser in a process of its own: a hostile file can end that process and nothing else."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Literal

import msgspec

from shared.files.parsing import child
from shared.files.parsing.confinement import close_to_children
from shared.files.parsing.limits import RESULT_BYTES
from shared.files.parsing.sniffed import Form
from shared.files.parsing.summary import summary_of
from shared.observe.log import info

MEMORY_BYTES: Final = 1 << 30
SECONDS: Final = 60
_START_SECONDS: Final = 10
_FEWEST_SECONDS: Final = 5
_OUTPUT_BYTES: Final = RESULT_BYTES + (1 << 16)
_ERROR_BYTES: Final = 1 << 16
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


class _Told(msgspec.Struct):
    confined: bool | None = None
    form: Form | None = None
    status: Literal["ready", "failed", "unsupported", "limited"] | None = None
    detail: str = ""
    peak_bytes: int = 0


@dataclass
class _Ran:
    """What a child said and how it ended; `code` is None when it had to be stopped."""

    code: int | None
    told: _Told = field(default_factory=_Told)
    result: bytes = b""
    errors: bytes = b""

    @property
    def crashed(self) -> bool:
        return not self.too_slow and (self.code != 0 or self.told.status is None)

    @property
    def too_slow(self) -> bool:
        return self.code in (None, -signal.SIGXCPU)

    @property
    def out_of_memory(self) -> bool:
        # The kernel kills; Rust says so and aborts.
        return self.code == -signal.SIGKILL or b"memory allocation of" in self.errors


def parse(
    path: Path, content_type: str, name: str, *, memory_bytes: int = MEMORY_BYTES, seconds: int = SECONDS
) -> Outcome:
    """What is in the file; never raises for anything that the file may hold."""
    began = time.monotonic()
    arguments = [str(path), content_type, _suffix(name), str(memory_bytes)]
    ran = _run(path, arguments, seconds)
    if ran.crashed and ran.told.form == "pdf":
        left = max(_FEWEST_SECONDS, seconds - int(time.monotonic() - began))
        ran = _run(path, arguments, left, "careful")
    outcome = _outcome(ran, seconds)
    took = round((time.monotonic() - began) * 1000)
    told = {"form": ran.told.form, "confined": ran.told.confined, "status": outcome.status}
    info("parse.read", **told, peak_bytes=outcome.peak_bytes, milliseconds=took)
    return outcome


def _suffix(name: str) -> str:
    path = Path(name)
    return Path(path.stem if path.suffix.lower() in _COMPRESSED else name).suffix.lower()


def _run(path: Path, arguments: list[str], seconds: int, *more: str) -> _Ran:
    close_to_children()
    command = [sys.executable, "-sBP", "-m", child.__name__, *arguments, str(seconds), *more]
    with (
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_bare_environment(),
            cwd=path.parent,
        ) as process,
        ThreadPoolExecutor(2) as listeners,
    ):
        output = listeners.submit(_beginning, process.stdout, _OUTPUT_BYTES)
        errors = listeners.submit(_complaints, process.stderr)
        try:
            code = process.wait(seconds + _START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return _Ran(None)
        return _heard(code, output.result(), errors.result())


def _beginning(stream: "IO[bytes] | None", size: int) -> bytes:
    # Who says more finds the pipe closed.
    assert stream is not None  # noqa: S101
    with stream:
        return stream.read(size)


def _complaints(stream: "IO[bytes] | None") -> bytes:
    # A library may complain as much as it likes: that is no reason to end.
    assert stream is not None  # noqa: S101
    with stream:
        beginning = stream.read(_ERROR_BYTES)
        while stream.read(_ERROR_BYTES):
            pass
    return beginning


def _heard(code: int, output: bytes, errors: bytes) -> _Ran:
    ran = _Ran(code, errors=errors)
    told: dict[str, Any] = {}
    try:
        while output and "status" not in told:
            line, _, output = output.partition(b"\n")
            told |= msgspec.json.decode(line, type=dict[str, Any])
            ran.told = msgspec.convert(told, _Told)
        if output:
            summary_of(output)
            ran.result = output
    except (ValueError, RecursionError):
        # What a child says is as little to be trusted as what it reads.
        ran.told.status = None
    return ran


def _bare_environment() -> dict[str, str]:
    # Above all no credentials, which a parser's hole would give away. Lambda's Python does not start without its
    # library path.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1", "LANG": "C.UTF-8"}


def _outcome(ran: _Ran, seconds: int) -> Outcome:
    if ran.too_slow:
        return Outcome("limited", f"parsing took longer than {seconds} seconds")
    if ran.crashed or ran.told.status is None:
        return _crash(ran)
    if len(ran.result) > RESULT_BYTES:
        return Outcome("limited", "the result is too large", peak_bytes=ran.told.peak_bytes)
    return Outcome(ran.told.status, ran.told.detail, ran.result, ran.told.peak_bytes)


def _crash(ran: _Ran) -> Outcome:
    # Where it happened; the messages themselves may quote the tenant's data.
    lines = ran.errors.decode(errors="replace").splitlines()
    places = [line.strip() for line in lines if line.startswith("  File")]
    info("parse.child_ended", code=ran.code, form=ran.told.form, places=places[-3:])
    if ran.out_of_memory:
        return Outcome("limited", "the content needs more memory than parsing may use")
    return Outcome("failed", f"the content made the parser crash ({_how(ran.code or 0)}): the file may be damaged")


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
