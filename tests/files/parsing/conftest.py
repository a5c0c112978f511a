"""Writes content to a file and parses it, where it matters in the sandbox as the parse function does."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.files.parsing import child
from shared.files.parsing.child import outcome_of
from shared.files.parsing.limits import Stopwatch
from shared.files.parsing.sandbox import Outcome, parse
from shared.files.parsing.sniffed import Declared

Program = Callable[..., Outcome]


@dataclass
class Reader:
    """`read` gives the outcome, `result` insists on one that is ready, both of this process; `sandboxed` of a child."""

    folder: Path

    def read(self, content: bytes, name: str = "data", content_type: str = "") -> Outcome:
        declared = Declared(content_type, Path(name).suffix.lower())
        return Outcome(*outcome_of(self.written(content), declared, Stopwatch(60)))

    def sandboxed(self, content: bytes, name: str = "data", content_type: str = "", **limits: int) -> Outcome:
        return parse(self.written(content), content_type, name, **limits)

    def result(self, content: bytes, name: str = "data", content_type: str = "") -> dict[str, Any]:
        outcome = self.read(content, name, content_type)
        assert outcome.status == "ready", outcome
        found: dict[str, Any] = json.loads(outcome.result)
        return found

    def written(self, content: bytes) -> Path:
        path = self.folder / "content"
        path.write_bytes(content)
        return path


def types(result: dict[str, Any]) -> dict[str, str]:
    """Column name → type, with a question mark when nullable."""
    return {column["name"]: column["type"] + "?" * column["nullable"] for column in result["schema"]}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.fixture
def program(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs these lines in the parser's stead, with its limits; what they find is `seen`, which is the detail."""

    def run(*lines: str, seconds: int = 5) -> Outcome:
        begin = "import json, os, sys\nfrom shared.files.parsing.child import limit_myself\nseen = 0\n"
        begin += f"limit_myself(1 << 30, {seconds})\n"
        end = "\nprint(json.dumps({'status': 'ready', 'detail': str(seen)}))\n"
        (reader.folder / "stranger.py").write_text(begin + "\n".join(lines) + end)
        monkeypatch.setattr(child, "__name__", "stranger")
        monkeypatch.syspath_prepend(str(reader.folder))
        return reader.sandboxed(b"x", seconds=seconds)

    return run
