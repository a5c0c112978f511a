"""Writes functions/requirements.txt anew: `python -m local.packaging.lock`, which needs pip and uv.

Each line pins one package to the one wheel that Lambda gets; `# via` tells the builder who needs it.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from local.packaging.build import LOCK
from local.packaging.wheels import PLATFORMS, PYTHON, UV_PLATFORM, normalised

_HEADER = "# Written by `python -m local.packaging.lock`; the builder reads the `via` comments too.\n"
_RESOLVED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?:\s+# via (?P<via>.+))?$", re.M)


def main() -> int:
    """Resolves for Lambda's Python and platform, fetches the wheels, and writes the lock."""
    wanted = LOCK.with_suffix(".in")
    resolved = _RESOLVED.findall(_resolve(wanted))
    with tempfile.TemporaryDirectory() as folder:
        _download([f"{name}=={version}" for name, version, _ in resolved], Path(folder))
        hashes = {normalised(file.name.split("-")[0]): _sha256(file) for file in Path(folder).glob("*.whl")}
    lines = [_line(name, version, via, hashes[normalised(name)]) for name, version, via in resolved]
    LOCK.write_text(_HEADER + "".join(lines))
    return 0


def _line(name: str, version: str, via: str, digest: str) -> str:
    needed_by = ", ".join(one for one in via.split(", ") if one and not one.startswith("-r"))
    return f"{name}=={version} --hash=sha256:{digest}" + (f"  # via {needed_by}" if needed_by else "") + "\n"


def _resolve(wanted: Path) -> str:
    options = [
        f"--python-platform={UV_PLATFORM}",
        f"--python-version={PYTHON}",
        "--only-binary=:all:",
    ]
    looks = ["--no-header", "--annotation-style=line", "--quiet", "--no-config"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *options, *looks, str(wanted)]
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def _download(requirements: list[str], folder: Path) -> None:
    tags = [f"--platform={name}" for name in PLATFORMS]
    options = ["-qq", "--no-deps", "--only-binary=:all:", f"--python-version={PYTHON}", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, *tags, *requirements], check=True)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
