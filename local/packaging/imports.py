"""Finds, without running anything, all that a handler needs: modules, data files and third-party packages."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT_PACKAGES = ("functions", "shared")
_LUA_USES = re.compile(r"^-- USES\s+(.*)$", re.M)


class UnknownImport(Exception):
    """A deployed module imports something of this project that is not there, or not deployable."""


@dataclass
class Trace:
    """What a handler reaches. `files` are relative to the root; `third_party` are top-level import names."""

    files: set[Path] = field(default_factory=set)
    third_party: set[str] = field(default_factory=set)


def trace(root: Path, module: str) -> Trace:
    """Follows every import of `module`, also those inside functions; not those for type checkers only.

    A string that is exactly the dotted name of a project module counts as an import of it (`python -m ...`).
    A file beside a module, or in a folder without Python beside it, is taken when the module names it by a
    string, with or without its suffix; a Lua script brings the fragments of its `-- USES` line.
    """
    if _path_of(root, module) is None:
        raise UnknownImport(f"{module} is not in {root}")
    found = Trace()
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _visit(root, name, found)
    return found


def _visit(root: Path, name: str, found: Trace) -> list[str]:
    """Records one imported name; gives the names it leads to."""
    top = name.partition(".")[0]
    if top not in PROJECT_PACKAGES:
        if (root / top).is_dir() and (root / top / "__init__.py").is_file():
            raise UnknownImport(f"deployed code imports {name}, which is not deployed")
        if top not in sys.stdlib_module_names:
            found.third_party.add(top)
        return []
    path = _path_of(root, name)
    parent = name.rpartition(".")[0]
    if path is None or path.is_dir():
        return [parent] if parent else []
    found.files.add(path.relative_to(root))
    tree = ast.parse(path.read_bytes(), filename=str(path))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found.files |= {file.relative_to(root) for file in _data_files(root, path.parent, strings)}
    package = name if path.name == "__init__.py" else parent
    imported = {target for node in _runtime_nodes(tree) for target in _targets(root, node, package)}
    launched = {text for text in strings if _names_a_module(root, text)}
    return sorted(imported | launched) + ([parent] if parent else [])


def _path_of(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    for candidate in (place / "__init__.py", place.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return place if place.is_dir() else None


def _names_a_module(root: Path, text: str) -> bool:
    if not re.fullmatch(rf"(?:{'|'.join(PROJECT_PACKAGES)})(?:\.\w+)+", text):
        return False
    path = _path_of(root, text)
    return path is not None and path.is_file()


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for alternative in child.orelse:
                yield alternative
                yield from _runtime_nodes(alternative)
            continue
        yield child
        yield from _runtime_nodes(child)


def _targets(root: Path, node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (_existing(root, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        yield _existing(root, base)
        if base.partition(".")[0] in PROJECT_PACKAGES:
            submodules = (f"{base}.{alias.name}" for alias in node.names)
            yield from (name for name in submodules if _path_of(root, name) is not None)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    anchor = parts[: len(parts) - node.level + 1]
    return ".".join([*anchor, node.module] if node.module else anchor)


def _existing(root: Path, name: str) -> str:
    if name.partition(".")[0] in PROJECT_PACKAGES and _path_of(root, name) is None:
        raise UnknownImport(f"no module {name} in {root}")
    return name


def _data_files(root: Path, folder: Path, strings: set[str]) -> set[Path]:
    named = {path for path in _beside(folder) if strings & {path.name, path.stem}}
    waiting = list(named)
    while waiting:
        fresh = set(_fragments(root, waiting.pop())) - named
        named |= fresh
        waiting += fresh
    return named


def _beside(folder: Path) -> Iterator[Path]:
    """Files that are not Python, in the folder and in its subfolders without Python."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "__pycache__" and not any(path.glob("*.py")):
            yield from _beside(path)
        elif path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path


def _fragments(root: Path, script: Path) -> Iterator[Path]:
    if script.suffix != ".lua":
        return
    for uses in _LUA_USES.findall(script.read_text()):
        for layer, stem in re.findall(r"(\w+)/(\w+)", uses):
            yield root / "shared" / layer / "lua" / f"{stem}.lua"
