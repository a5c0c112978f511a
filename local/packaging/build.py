"""Puts traced code and its third-party packages together, one zip a function."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.packaging.archive import write_zip
from local.packaging.bytecode import compile_tree, compiled, compiler
from local.packaging.imports import trace
from local.packaging.wheels import Site, site

LOCK = Path("functions") / "requirements.txt"


@dataclass(frozen=True)
class Function:
    """`handler` as serverless.yml says it (`functions/x/handler.handler`), `artifact` the zip to write."""

    name: str
    handler: str
    artifact: Path


@dataclass(frozen=True)
class Built:
    """What went into a zip; `packages` are normalised distribution names."""

    function: Function
    files: frozenset[Path]
    packages: frozenset[str]


def build(root: Path, functions: Iterable[Function], cache: Path) -> list[Built]:
    """Writes the artifacts (relative ones under `root`). `cache` keeps installed packages between builds."""
    python = compiler()
    packages = _packages(root / LOCK, cache, python)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        return [_build_one(root, function, packages, Path(scratch) / function.name, python) for function in functions]


def _packages(lock: Path, cache: Path, python: str | None) -> Site:
    folder = site(lock, cache)
    mark = folder / ".compiled"
    if python and not mark.exists():
        compile_tree(folder, python)
        mark.touch()
    return Site(folder, lock)


def _build_one(root: Path, function: Function, packages: Site, scratch: Path, python: str | None) -> Built:
    found = trace(root, function.handler.rpartition(".")[0].replace("/", "."))
    for path in found.files:
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, scratch / path)
    if python:
        compile_tree(scratch, python)
    names = packages.providing(found.third_party)
    content = _content(scratch, found.files) | _content(packages.folder, packages.files(names))
    write_zip(root / function.artifact, content)
    return Built(function, frozenset(found.files), frozenset(names))


def _content(folder: Path, paths: Iterable[Path]) -> dict[str, Path]:
    paths = set(paths)
    bytecode = {compiled(path) for path in paths if path.suffix == ".py"}
    return {path.as_posix(): folder / path for path in paths | {p for p in bytecode if (folder / p).is_file()}}
