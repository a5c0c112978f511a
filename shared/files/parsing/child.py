"""The process that reads one untrusted file: it limits itself first, then parses, then prints the outcome.

    python -m shared.files.parsing.child PATH CONTENT_TYPE SUFFIX MEMORY_BYTES SECONDS [careful]

Standard input stays open while the parent lives. Standard output: a line `{"confined"}`, a line `{"form"}` when the
form is known, a line with the outcome (`{"status", "detail", "peak_bytes"}`), then the result as JSON, if there is
one. `careful` is said when the fast reader of the same file has crashed.
"""

import importlib
import json
import os
import re
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from shared.files.parsing.confinement import confine
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch, Unsupported
from shared.files.parsing.result import Found, rendered
from shared.files.parsing.sniff import sniff
from shared.files.parsing.sniffed import Declared, Form, Sniffed

# By name, so that a child loads only the reader that it needs; each has `read(Sniffed, Stopwatch) -> Found`.
_READERS: Final[dict[Form, str]] = {
    "delimited": "shared.files.parsing.delimited",
    "json": "shared.files.parsing.json_document",
    "ndjson": "shared.files.parsing.ndjson",
    "text": "shared.files.parsing.plain_text",
    "xlsx": "shared.files.parsing.xlsx",
    "docx": "shared.files.parsing.docx",
    "pdf": "shared.files.parsing.pdf",
    "calamine": "shared.files.parsing.calamine",
    "parquet": "shared.files.parsing.parquet",
}
_CAREFUL: Final[dict[Form, str]] = {"pdf": "shared.files.parsing.pdf_careful"}
_OPEN_FILES: Final = 32
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


def main(arguments: list[str]) -> None:
    path, content_type, suffix, memory, seconds, *careful = arguments
    limit_myself(int(memory), int(seconds))
    _say(confined=confine())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    declared, stopwatch = Declared(content_type, suffix), Stopwatch(int(seconds) * 0.8)
    status, detail, result = outcome_of(Path(path), declared, stopwatch, bool(careful), lambda form: _say(form=form))
    _say(status=status, detail=detail, peak_bytes=_peak_bytes())
    sys.stdout.buffer.write(result)


def _say(**members: Any) -> None:
    sys.stdout.buffer.write(json.dumps(members).encode() + b"\n")
    sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def limit_myself(memory: int, seconds: int) -> None:
    """What the content makes this process do, it does within these bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _peak_bytes() -> int:
    # What getrusage says counts the parent's memory from before this program was loaded.
    status = Path("/proc/self/status")
    peak = _PEAK.search(status.read_text()) if status.exists() else None
    return int(peak[1]) * 1024 if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def outcome_of(
    path: Path,
    declared: Declared,
    stopwatch: Stopwatch,
    careful: bool = False,
    told: Callable[[Form], None] = lambda form: None,
) -> tuple[str, str, bytes]:
    """Status, detail and result of a file, in this very process; `told` hears the form before it is read."""
    try:
        found = _read(path, declared, stopwatch, careful, told)
        return ("limited", found.limited, rendered(found)) if found.limited else ("ready", "", rendered(found))
    except Unsupported as reason:
        return "unsupported", str(reason), b""
    except Malformed as reason:
        return "failed", str(reason), b""
    except OverLimit as reason:
        return "limited", str(reason), b""
    except RecursionError:
        return "limited", "the content is nested too deeply", b""
    except MemoryError:
        return "limited", "the content needs more memory than parsing may use", b""


def _read(path: Path, declared: Declared, stopwatch: Stopwatch, careful: bool, told: Callable[[Form], None]) -> Found:
    sniffed = sniff(path, declared)
    told(sniffed.form)
    try:
        return _read_as(sniffed, stopwatch, careful)
    except Malformed:
        if sniffed.certain:
            raise
    return _read_as(sniff(path, declared, may_be_json=False), stopwatch, careful)


def _read_as(sniffed: Sniffed, stopwatch: Stopwatch, careful: bool) -> Found:
    name = _CAREFUL.get(sniffed.form) if careful else None
    found: Found = importlib.import_module(name or _READERS[sniffed.form]).read(sniffed, stopwatch)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
