"""Compiles ahead for Lambda's Python, when this machine has it: Lambda cannot write into /var/task itself."""

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from local.packaging.wheels import PYTHON


@cache
def compiler() -> str | None:
    """A Python whose bytecode Lambda's can load, or None."""
    for candidate in _candidates():
        if _version(candidate) == PYTHON:
            return candidate
    return None


def compile_tree(folder: Path, python: str) -> None:
    """Writes `__pycache__` folders: same source, same bytes; never checked against the source's time."""
    command = [python, "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    where = ["-s", str(folder), "-p", "/var/task", str(folder)]
    subprocess.run([*command, *where], check=True, stdout=sys.stderr, env={"PYTHONHASHSEED": "0"})


def compiled(path: Path) -> Path:
    """Where the bytecode of a module lies."""
    return path.parent / "__pycache__" / f"{path.stem}.cpython-{PYTHON.replace('.', '')}.pyc"


def _candidates() -> Iterator[str]:
    yield sys.executable
    on_path = shutil.which(f"python{PYTHON}")
    if on_path:
        yield on_path
    # pyenv keeps the versions it manages off PATH.
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    yield from sorted(glob.glob(f"{pyenv}/versions/{PYTHON}.*/bin/python{PYTHON}"), reverse=True)


def _version(python: str) -> str:
    question = "import sys; print('%d.%d' % sys.version_info[:2] if sys.implementation.name == 'cpython' else '')"
    answer = subprocess.run([python, "-I", "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
