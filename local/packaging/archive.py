"""Writes zips whose bytes depend on content alone, so that an unchanged function is not deployed again."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

_MIDNIGHT_1980 = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE_FILE = 0o100644 << 16


def write_zip(target: Path, content: Mapping[str, Path]) -> None:
    """Puts files under the names given, unless the zip has just them already; an interrupted build leaves the old."""
    fingerprint = _fingerprint(content)
    if _comment(target) == fingerprint:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            archive.comment = fingerprint
            for name in sorted(content):
                archive.writestr(_entry(name), content[name].read_bytes(), zipfile.ZIP_DEFLATED, 6)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _fingerprint(content: Mapping[str, Path]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(content):
        digest.update(f"{name}\0{hashlib.sha256(content[name].read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest().encode()


def _comment(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment
    except (OSError, zipfile.BadZipFile):
        return b""


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MIDNIGHT_1980)
    entry.create_system = _UNIX
    entry.external_attr = _READABLE_FILE
    return entry
