"""Writes zips whose bytes depend on content alone, so that an unchanged function is not deployed again."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

_MIDNIGHT_1980 = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE_FILE = 0o100644 << 16


def write_zip(target: Path, content: Mapping[str, Path]) -> None:
    """Puts files under the names given; an interrupted build leaves the old zip."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name in sorted(content):
                archive.writestr(_entry(name), content[name].read_bytes(), zipfile.ZIP_DEFLATED, 6)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MIDNIGHT_1980)
    entry.create_system = _UNIX
    entry.external_attr = _READABLE_FILE
    return entry
