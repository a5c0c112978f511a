"""The process that reads one untrusted file: it limits itself first, then parses, then prints the outcome.

    python -m shared.files.parsing.child PATH CONTENT_TYPE SUFFIX MEMORY_BYTES SECONDS

Standard input stays open while the parent lives. Standard output: one line with the outcome
(`{"status", "detail"}`), then the result as JSON, if there is one.
"""

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Final

from shared.files.parsing.delimited import read_delimited
from shared.files.parsing.json_document import read_json
from shared.files.parsing.limits import Malformed, Stopwatch
from shared.files.parsing.ndjson import read_ndjson
from shared.files.parsing.plain_text import read_text
from shared.files.parsing.result import Found, rendered
from shared.files.parsing.sniff import Declared, Sniffed, Unsupported, sniff

_READERS: Final = {"json": read_json, "ndjson": read_ndjson, "text": read_text}
_OPEN_FILES: Final = 32


def main(arguments: list[str]) -> None:
    path, content_type, suffix, memory, seconds = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_myself(int(memory), int(seconds))
    status, detail, result = outcome_of(Path(path), Declared(content_type, suffix), Stopwatch(int(seconds) * 0.8))
    sys.stdout.buffer.write(json.dumps({"status": status, "detail": detail}).encode() + b"\n" + result)


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _limit_myself(memory: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def outcome_of(path: Path, declared: Declared, stopwatch: Stopwatch) -> tuple[str, str, bytes]:
    """Status, detail and result of a file, in this very process."""
    try:
        found = _read(path, declared, stopwatch)
        return ("limited", found.limited, rendered(found)) if found.limited else ("ready", "", rendered(found))
    except Unsupported as reason:
        return "unsupported", str(reason), b""
    except Malformed as reason:
        return "failed", str(reason), b""
    except RecursionError:
        return "limited", "the content is nested too deeply", b""
    except MemoryError:
        return "limited", "the content needs more memory than parsing may use", b""


def _read(path: Path, declared: Declared, stopwatch: Stopwatch) -> Found:
    sniffed = sniff(path, declared)
    try:
        return _read_as(sniffed, path, stopwatch)
    except Malformed:
        if sniffed.certain:
            raise
    return _read_as(sniff(path, declared, may_be_json=False), path, stopwatch)


def _read_as(sniffed: Sniffed, path: Path, stopwatch: Stopwatch) -> Found:
    if sniffed.form == "delimited":
        return read_delimited(path, sniffed.encoding, sniffed.delimiter, stopwatch)
    return _READERS[sniffed.form](path, sniffed.encoding, stopwatch)


if __name__ == "__main__":
    main(sys.argv[1:])
