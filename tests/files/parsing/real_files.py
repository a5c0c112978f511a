"""Files that nobody here wrote, out of published packages: fetched once, known by their checksums, never committed."""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_SHELF: Final = Path(__file__).parents[3] / ".build" / "real-files"


@dataclass(frozen=True)
class Package:
    """One archive of a package index; `file` is its name there."""

    index: str
    name: str
    file: str
    sha256: str

    def read(self, member: str) -> bytes:
        """A file in the archive, by the end of its path."""
        ((_, content),) = self._files(lambda path: f"/{path}".endswith(f"/{member}"))
        return content

    def all(self, *suffixes: str) -> Iterator[tuple[str, bytes]]:
        """Path and content of each file with one of these endings."""
        return self._files(lambda path: path.lower().endswith(suffixes))

    def _files(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        if self.file.endswith(".whl"):
            with zipfile.ZipFile(_fetched(self)) as wheel:
                yield from ((path, wheel.read(path)) for path in wheel.namelist() if wanted(path))
            return
        with tarfile.open(_fetched(self)) as archive:
            for member in archive:
                stream = archive.extractfile(member) if wanted(member.name) else None
                if stream is not None:
                    yield member.name, stream.read()


@cache
def _fetched(package: Package) -> Path:
    path = _SHELF / package.file
    if not path.exists() or _digest(path) != package.sha256:
        _SHELF.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(_command(package), cwd=_SHELF, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert _digest(path) == package.sha256, f"{package.file} is not the file that was tested"
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _command(package: Package) -> list[str]:
    if package.index == "npm":
        return ["npm", "pack", "--silent", package.name]
    kind = "--only-binary" if package.file.endswith(".whl") else "--no-binary"
    # pip would run a source distribution's build to look at it.
    return [sys.executable, "-m", "unearth", kind, "--download", str(_SHELF), package.name]


BOKEH: Final = Package(
    "pypi",
    "bokeh-sampledata==2026.1",
    "bokeh_sampledata-2026.1-py3-none-any.whl",
    "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
)
PENGUINS: Final = Package(
    "pypi",
    "palmerpenguins==0.1.6",
    "palmerpenguins-0.1.6-py3-none-any.whl",
    "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0",
)
VEGA: Final = Package(
    "npm",
    "vega-datasets@3.2.1",
    "vega-datasets-3.2.1.tgz",
    "6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3",
)
COUNTRIES: Final = Package(
    "npm",
    "world-countries@5.1.0",
    "world-countries-5.1.0.tgz",
    "329eb6ef4099ffb590219c9beb634bf489a5e4b10d8ab0ac52a58ebf7b9f8495",
)
PDFS: Final = Package(
    "pypi",
    "pikepdf==10.17.0",
    "pikepdf-10.17.0.tar.gz",
    "de4ccaae83628e86c1fd473b384c09c6ff1dd35a583a8dacbf61d2aa4bea843b",
)
WORKBOOKS: Final = Package(
    "pypi",
    "python-calamine==0.9.1",
    "python_calamine-0.9.1.tar.gz",
    "458094c3dd41bd330c0a43d20e23489964ba28b3301687f1c5acc03c81d06a9f",
)
DOCUMENTS: Final = Package(
    "pypi",
    "python-docx==1.2.0",
    "python_docx-1.2.0.tar.gz",
    "7bc9d7b7d8a69c9c02ca09216118c86552704edc23bac179283f2e38f86220ce",
)
