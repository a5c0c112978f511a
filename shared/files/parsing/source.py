"""A file's bytes, as they are or inflated on the way: opened as often as a reader needs, never read past a limit."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from shared.files.parsing import limits
from shared.files.parsing.limits import Malformed, OverLimit

_BUFFER: Final = 1 << 16
# What zipfile and gzip raise for damaged content; whatever else they raise is no answer to content.
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)


class Allowance:
    """How many bytes may still come out of compressed ones; shared by all that is read of one archive."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size

    def spend(self, size: int) -> None:
        """Raises OverLimit when more was inflated than is allowed."""
        self._left -= size
        if self._left < 0:
            raise OverLimit(f"the content inflates to more than {self._size >> 20} MiB")


class Inflating(io.RawIOBase):
    """A compressed stream that ends in OverLimit at its allowance, and in Malformed where it is damaged."""

    def __init__(self, inner: IO[bytes], allowance: Allowance) -> None:
        self._inner = inner
        self._allowance = allowance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inner.read(len(buffer))
        except MemoryError:
            raise
        except DAMAGE as error:
            raise Malformed(f"the compressed data is damaged: {error or type(error).__name__}") from error
        self._allowance.spend(len(data))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


class Source:
    """The bytes to read as text; `inflate` opens the compressed stream in the file at `path`."""

    def __init__(self, path: Path, inflate: Callable[[Path], IO[bytes]] | None = None) -> None:
        self._path = path
        self._inflate = inflate

    def open(self) -> IO[bytes]:
        """A fresh stream from the beginning."""
        if self._inflate is None:
            return self._path.open("rb")
        return io.BufferedReader(Inflating(self._inflate(self._path), Allowance(limits.INFLATED_BYTES)), _BUFFER)

    def open_text(self, codec: str, errors: str = "strict", newline: str | None = None) -> IO[str]:
        """The same, decoded."""
        return io.TextIOWrapper(self.open(), codec, errors, newline)

    def head(self, size: int) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(size)
