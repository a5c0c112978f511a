"""RESP2 as it is on the wire: the gateway must tell a status from a string, which client libraries hide."""

from collections.abc import Generator, Sequence
from typing import TypeAlias


class Status(bytes):
    """A simple string reply (`+OK`)."""


class Failure(bytes):
    """An error reply (`-ERR …`), as a value: inside an array it is not an exception."""

    @property
    def text(self) -> str:
        return self.decode("utf-8", "replace")


Reply: TypeAlias = "int | bytes | list[Reply] | None"

_Step: TypeAlias = Generator[None, None, bytes]


def encode_command(arguments: Sequence[bytes]) -> bytes:
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        parts.append(b"$%d\r\n%b\r\n" % (len(argument), argument))
    return b"".join(parts)


def encode_reply(reply: Reply) -> bytes:
    """RESP2 bytes of a reply, for `Upstash-Response-Format: resp2`."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, list):
        return b"*%d\r\n%b" % (len(reply), b"".join(map(encode_reply, reply)))
    if isinstance(reply, Status):
        return b"+%b\r\n" % reply
    if isinstance(reply, Failure):
        return b"-%b\r\n" % reply
    return b"$%d\r\n%b\r\n" % (len(reply), reply)


class ReplyParser:
    """Incremental: `feed` any slice of the stream, take the replies that became whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._whole: list[Reply] = []
        self._loop = self._read_forever()
        next(self._loop)

    def feed(self, data: bytes) -> list[Reply]:
        self._buffer += data
        self._loop.send(None)
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        whole, self._whole = self._whole, []
        return whole

    def _read_forever(self) -> Generator[None, None, None]:
        yield
        while True:
            reply = yield from self._reply()
            self._whole.append(reply)

    def _reply(self) -> Generator[None, None, Reply]:
        line = yield from self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return (yield from self._bulk(int(rest)))
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return Status(rest)
        if kind == b"-":
            return Failure(rest)
        if kind != b"*":
            raise ValueError(f"not RESP2: {line[:40]!r}")
        return (yield from self._array(int(rest)))

    def _array(self, count: int) -> Generator[None, None, Reply]:
        if count < 0:
            return None
        items: list[Reply] = []
        for _ in range(count):
            item = yield from self._reply()
            items.append(item)
        return items

    def _bulk(self, size: int) -> Generator[None, None, bytes | None]:
        if size < 0:
            return None
        while len(self._buffer) < self._at + size + 2:
            yield
        value = bytes(self._buffer[self._at : self._at + size])
        self._at += size + 2
        return value

    def _line(self) -> _Step:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            yield
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line
