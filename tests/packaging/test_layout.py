"""The layout of DESIGN §11: small files, thin handlers, one folder a function, no names that say nothing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
CODE: Final = {".py": 400, ".mjs": 400, ".cjs": 400, ".js": 400, ".lua": 80}
HANDLER_LINES: Final = 60
NOTHING_SAID: Final = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "base", "misc"}
SHARED: Final = {"auth", "aws", "files", "http", "observe", "realtime", "sessions", "state", "tenant"}


def ours(*suffixes: str) -> Iterator[Path]:
    """Files that are in the repository, or will be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    paths = (ROOT / name for name in listed.stdout.decode().splitlines())
    return (path for path in paths if path.suffix in (suffixes or CODE) and path.is_file())


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_small() -> None:
    assert {str(path.relative_to(ROOT)): lines(path) for path in ours() if lines(path) > CODE[path.suffix]} == {}


def test_handlers_are_thin() -> None:
    handlers = [path for path in ours(".py") if path.match("functions/*/handler.py")]
    assert handlers != []
    assert {path.parent.name: lines(path) for path in handlers if lines(path) > HANDLER_LINES} == {}


def test_names_say_something() -> None:
    parts = {part for path in ours() for part in (*path.relative_to(ROOT).parts[:-1], path.stem)}
    assert parts & NOTHING_SAID == set()


def test_each_function_is_declared_and_has_a_folder() -> None:
    declared = yaml.safe_load((ROOT / "serverless.yml").read_text(encoding="utf-8"))["functions"]
    assert set(declared) == {path.parent.name for path in ours(".py") if path.match("functions/*/handler.py")}
    assert {function["handler"] for function in declared.values()} == {
        f"functions/{name}/handler.handler" for name in declared
    }


def test_shared_has_the_folders_of_the_design_and_no_more() -> None:
    folders = {path.relative_to(ROOT / "shared").parts[0] for path in ours(".py") if (ROOT / "shared") in path.parents}
    assert {name for name in folders if not name.endswith(".py")} == SHARED


@pytest.mark.parametrize("folder", ["functions", "shared", "local"])
def test_no_folder_of_code_is_without_its_mark(folder: str) -> None:
    found = {path.parent for path in ours(".py") if (ROOT / folder) in path.parents}
    assert {str(one.relative_to(ROOT)) for one in found if not (one / "__init__.py").is_file()} == set()
