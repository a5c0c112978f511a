"""Writes content to a file and parses it in the sandbox, as the parse function does."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.files.parsing.sandbox import Outcome, parse


@dataclass
class Reader:
    """`read` gives the outcome, `result` insists on one that is ready."""

    folder: Path

    def read(self, content: bytes, name: str = "data", content_type: str = "", **limits: int) -> Outcome:
        path = self.folder / "content"
        path.write_bytes(content)
        return parse(path, content_type, name, **limits)

    def result(self, content: bytes, name: str = "data", content_type: str = "") -> dict[str, Any]:
        outcome = self.read(content, name, content_type)
        assert outcome.status == "ready", outcome
        found: dict[str, Any] = json.loads(outcome.result)
        return found


def types(result: dict[str, Any]) -> dict[str, str]:
    """Column name → type, with a question mark when nullable."""
    return {column["name"]: column["type"] + "?" * column["nullable"] for column in result["schema"]}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)
