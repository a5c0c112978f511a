"""ZIP files from strangers: members are read by name, bounded by what they inflate to and not by what they claim."""

import io
import zipfile
from pathlib import Path
from typing import IO, Final

from shared.files.parsing import limits
from shared.files.parsing.limits import Malformed, OverLimit, Unsupported
from shared.files.parsing.source import DAMAGE, Allowance, Inflating

_METHODS: Final = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
_ENCRYPTED: Final = 1


class Archive:
    """`names` are the members in their order. Everything read through one archive counts to one allowance."""

    def __init__(self, path: Path, inflated: int = limits.INFLATED_BYTES) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except DAMAGE as error:
            raise Malformed(f"not a valid ZIP: {error}") from error
        if len(entries) > limits.ARCHIVE_ENTRIES:
            raise OverLimit(f"the archive has more than {limits.ARCHIVE_ENTRIES} entries")
        self._path = path
        self._entries = {entry.filename: entry for entry in entries}
        # Of two members of one name each reader takes another one.
        if len(self._entries) < len(entries):
            raise Malformed("the archive holds several members of one name")
        self._allowance = Allowance(inflated)

    @property
    def names(self) -> list[str]:
        return list(self._entries)

    @property
    def claimed_bytes(self) -> int:
        """What all members together say that they inflate to."""
        return sum(entry.file_size for entry in self._entries.values())

    def open(self, name: str) -> IO[bytes]:
        """A member's bytes. Malformed when it is not there."""
        return io.BufferedReader(Inflating(self.open_raw(name), self._allowance), 1 << 16)

    def open_raw(self, name: str) -> IO[bytes]:
        """The same without any bound; for who brings its own."""
        entry = self._entries.get(name)
        if entry is None:
            raise Malformed(f"the archive lacks {name[: limits.NAME_CHARACTERS]}")
        if entry.flag_bits & _ENCRYPTED:
            raise Unsupported("the archive is encrypted")
        if entry.compress_type not in _METHODS:
            raise Unsupported("the archive is compressed by another method than deflate")
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.open(entry)
        except DAMAGE as error:
            raise Malformed(f"not a valid ZIP: {error}") from error

    def read(self, name: str, size: int) -> bytes:
        """A small member, whole; OverLimit when it is not small."""
        with self.open(name) as stream:
            content = stream.read(size + 1)
        if len(content) > size:
            raise OverLimit(f"{name} is larger than {size >> 20} MiB")
        return content
