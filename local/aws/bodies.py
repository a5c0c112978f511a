"""Request bodies, spooled to disk when large, because they must be checked whole before moto sees a byte."""

import asyncio
import hashlib
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from local.aws.refusals import Refusal

_IN_MEMORY: Final = 8 * 1024 * 1024
_BLOCK: Final = 1024 * 1024
_LARGEST: Final = 5 * 1024**3


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    """zlib's CRC-32 with the face of a hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


DIGESTS: Final[dict[str, Callable[[], Digest]]] = {
    "crc32": _Crc32,
    "md5": hashlib.md5,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
}


class Body:
    """Bytes that can be read again and again."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > _LARGEST:
            raise too_large(self.size, _LARGEST)
        self._file.write(data)

    def rewind(self) -> None:
        self._file.seek(0)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def whole(self) -> bytes:
        self.rewind()
        return self.read()

    def read_line(self, longest: int) -> bytes:
        return self._file.readline(longest)

    async def digest(self, algorithm: str) -> bytes:
        """By one of DIGESTS; large bodies are hashed off the loop."""
        if self.size <= _BLOCK:
            return self._digest(algorithm)
        return await asyncio.to_thread(self._digest, algorithm)

    def _digest(self, algorithm: str) -> bytes:
        digest = DIGESTS[algorithm]()
        self.rewind()
        while block := self.read(_BLOCK):
            digest.update(block)
        return digest.digest()

    async def blocks(self) -> AsyncIterator[bytes]:
        self.rewind()
        while block := self.read(_BLOCK):
            yield block

    def close(self) -> None:
        self._file.close()


async def receive(content: AsyncIterator[bytes], body: Body) -> None:
    """Reads a request to its end."""
    async for block in content:
        body.write(block)


def too_large(size: int, largest: int) -> Refusal:
    return Refusal(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        ProposedSize=str(size),
        MaxSizeAllowed=str(largest),
    )
