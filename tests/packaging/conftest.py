"""A small service of its own, with wheels made here: the builder is tested without any package index."""

import base64
import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.packaging.build import Built, Function, build

REPOSITORY = Path(__file__).parents[2]
MakeTree = Callable[[Mapping[str, str]], Path]
MakeWheel = Callable[..., str]


@pytest.fixture(scope="session")
def service() -> dict[str, Any]:
    """serverless.yml as written, variables unresolved."""
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "serverless.yml").read_text())
    return loaded


@pytest.fixture(scope="session")
def built(service: dict[str, Any]) -> dict[str, Built]:
    """Every function of serverless.yml, built as `osls package` does it; artifacts are below REPOSITORY."""
    functions = [
        Function(name, declared["handler"], Path(declared["package"]["artifact"]))
        for name, declared in service["functions"].items()
    ]
    cache = REPOSITORY / ".build"
    cache.mkdir(exist_ok=True)
    return {one.function.name: one for one in build(REPOSITORY, functions, cache)}


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    """Writes files by relative path below a fresh root and gives the root."""

    def write(files: Mapping[str, str]) -> Path:
        root = tmp_path / "service"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return write


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWheel:
    """Makes an installable wheel, the only place that pip may look at, and gives its lock line."""
    shelf = tmp_path / "wheels"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))

    def make(name: str, tag: str = "py3-none-any", via: str = "", extra: Mapping[str, str] | None = None) -> str:
        info = f"{name}-1.0.dist-info"
        files = {
            f"{name}/__init__.py": "def answer():\n    return 42\n",
            f"{name}/__init__.pyi": "def answer() -> int: ...\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:answer\n",
            **(extra or {}),
        }
        path = shelf / f"{name}-1.0-{tag}.whl"
        _write_wheel(path, files, f"{info}/RECORD")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{name}==1.0 --hash=sha256:{digest}" + (f"  # via {via}" if via else "") + "\n"

    return make


def _write_wheel(path: Path, files: Mapping[str, str], record: str) -> None:
    rows = [f"{name},sha256={_record_digest(text)},{len(text)}" for name, text in files.items()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, record: "\n".join([*rows, f"{record},,"])}.items():
            archive.writestr(name, text)


def _record_digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
