"""Gives the third-party packages as Lambda runs them, from the lock's hashes, whatever machine this is."""

import csv
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PYTHON = "3.13"
# Lambda's Amazon Linux 2023 has glibc 2.34, so wheels for 2.28 and older run there; pip and uv must choose alike.
_GLIBC_MINOR = 28
PLATFORMS = (*(f"manylinux_2_{minor}_aarch64" for minor in range(_GLIBC_MINOR, 16, -1)), "manylinux2014_aarch64")
UV_PLATFORM = f"aarch64-manylinux_2_{_GLIBC_MINOR}"
_PINNED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+) --hash=sha256:[0-9a-f]{64}(?:\s+# via (?P<via>.+))?$")
_NOT_SHIPPED = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "WHEEL", "uv_cache.json"}


class BadLock(Exception):
    """The lock file cannot be read, or does not provide what a function imports."""


@dataclass(frozen=True)
class Pin:
    """One line of the lock: `via` are the packages that need this one; empty when a function itself does."""

    name: str
    version: str
    via: frozenset[str]


def pins_of(lock: Path) -> dict[str, Pin]:
    """The lock's pins by normalised name."""
    pins = {}
    for line in lock.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        match = _PINNED.match(line)
        if match is None:
            raise BadLock(f"{lock}: not `name==version --hash=sha256:... # via ...`: {line}")
        via = frozenset(normalised(name) for name in (match["via"] or "").split(", ") if name)
        pins[normalised(match["name"])] = Pin(match["name"], match["version"], via)
    return pins


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Site:
    """The whole lock, installed for Lambda into one folder, from which each function takes its share."""

    def __init__(self, folder: Path, lock: Path) -> None:
        self.folder = folder
        self._pins = pins_of(lock)
        self._files = {normalised(name): files for name, files in _installed(folder).items()}

    def providing(self, imports: Iterable[str]) -> set[str]:
        """Names of the packages that provide these top-level imports, and of all that those need."""
        needed = {self._provider(name) for name in imports}
        while True:
            more = {name for name, pin in self._pins.items() if pin.via & needed} - needed
            if not more:
                return needed
            needed |= more

    def files(self, packages: Iterable[str]) -> set[Path]:
        """What these packages bring, relative to `folder`."""
        return {path for name in packages for path in self._files[name]}

    def _provider(self, module: str) -> str:
        heads = {module, f"{module}.py"}
        for name, files in self._files.items():
            if any(path.parts[0] in heads or path.parts[0].startswith(f"{module}.cpython") for path in files):
                return name
        raise BadLock(f"no package of the lock provides `import {module}`")


def site(lock: Path, cache: Path) -> Path:
    """The folder where the lock is installed; made once per content of the lock. Raises BadLock."""
    pins_of(lock)
    key = hashlib.sha256(lock.read_bytes() + repr((PYTHON, PLATFORMS)).encode()).hexdigest()[:16]
    folder = cache / f"site-{key}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="site-", dir=cache))
        try:
            ran = subprocess.run(_installer(lock, fresh), check=False, env=_environment(), stdout=sys.stderr)
            if ran.returncode:
                raise BadLock(f"the packages of {lock} could not be installed")
            _settle(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _settle(fresh: Path, folder: Path) -> None:
    """Puts a finished folder in place; another build may have been quicker."""
    try:
        fresh.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _installer(lock: Path, target: Path) -> list[str]:
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--python-version={PYTHON}"]
    options += ["--requirement", str(lock), "--target", str(target)]
    if importlib.util.find_spec("pip"):
        options += [f"--platform={name}" for name in PLATFORMS] + ["--implementation=cp", "--no-compile"]
        return [sys.executable, "-m", "pip", "install", "-qq", *options]
    uv = shutil.which("uv")
    if uv is None:
        raise BadLock(f"neither pip in {sys.executable} nor uv: set TRAFFIC_COP_PYTHON to a Python with pip")
    options += [f"--python-platform={UV_PLATFORM}", "--python", sys.executable]
    return [uv, "pip", "install", "--quiet", *options]


def _environment() -> Mapping[str, str]:
    """This machine's index settings stay; what could change the choice of versions goes."""
    dropped = {"PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_REQUIREMENT", "PYTHONWARNINGS"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {
        "PIP_CONSTRAINT": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def _installed(folder: Path) -> dict[str, set[Path]]:
    """Each distribution's files without what only an installer or a command line wants."""
    packages = {}
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        name = record.parent.name.removesuffix(".dist-info").rpartition("-")[0]
        with record.open(newline="") as lines:
            paths = {Path(row[0]) for row in csv.reader(lines) if row}
        packages[name] = {path for path in paths if _shipped(path) and (folder / path).is_file()}
    return packages


def _shipped(path: Path) -> bool:
    if path.is_absolute() or ".." in path.parts or path.parts[0] in {"bin", "Scripts", "share", "include"}:
        return False
    if "__pycache__" in path.parts or path.suffix in {".pyc", ".pyi", ".pxd", ".pyx"}:
        return False
    return not (path.parts[0].endswith(".dist-info") and path.name in _NOT_SHIPPED)
