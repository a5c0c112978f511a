"""One WebSocket on the wire: the held handshake, API Gateway's frame rules, the close codes.

Frames are parsed and built by websockets' sans-I/O protocol, because the limit of 32 KB is on frames, which
higher-level servers put together before anybody can look at them.
"""

import asyncio
from typing import Protocol, cast

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

from local.gateway.http_messages import Request, Response

_HELD_BYTES = 64 * 1024
_SET_WHEN_SENT = ("content-length", "date")


class SocketListener(Protocol):
    """Told of what a socket does once its handshake is done."""

    def message_received(self, text: str) -> None: ...

    def socket_ended(self, code: int, reason: str) -> None:
        """Once, when either side starts to close or the network breaks."""
        ...


class SocketProtocol(asyncio.Protocol):
    """`listener` is set before `accept`. Sizes in bytes, `close_timeout` in seconds."""

    listener: SocketListener
    _transport: asyncio.Transport

    def __init__(self, *, max_frame: int, max_message: int, close_timeout: float) -> None:
        self._max_frame = max_frame
        self._max_message = max_message
        self._close_timeout = close_timeout
        self._frames: ServerProtocol | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._parts: list[bytes] = []
        self._ended = False
        self._close_timer: asyncio.TimerHandle | None = None
        self.lost = asyncio.Event()

    # what the gateway does

    def accept(self, handshake: Response) -> None:
        """Sends the 101 that `handshake_response` made, and from now on frames."""
        self._transport.write(handshake.serialize(keep_alive=True))
        self._frames = ServerProtocol(state=State.OPEN, max_size=self._max_message)
        if self._held:
            held, self._held = b"".join(self._held), []
            self._transport.resume_reading()
            self.data_received(held)

    def reject(self, response: Response) -> None:
        if not self._transport.is_closing():
            self._transport.write(response.serialize(keep_alive=False))
            self._transport.close()

    def send_text(self, payload: bytes) -> bool:
        """Whether the socket was open."""
        if self._frames is None or self._frames.state is not State.OPEN:
            return False
        self._frames.send_text(payload)
        self._flush(self._frames)
        return True

    def close(self, code: int, reason: str) -> None:
        if self._frames is not None and self._frames.state is State.OPEN:
            self._frames.send_close(code, reason)
            self._settle(self._frames)

    def abort(self) -> None:
        self._transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet, the kernel's buffers not counted."""
        return self._transport.get_write_buffer_size()

    # what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            self._hold(data)
            return
        self._frames.receive_data(data)
        for event in self._frames.events_received():
            if isinstance(event, Frame) and not self._ended:
                self._frame_received(self._frames, event)
        self._settle(self._frames)

    def eof_received(self) -> bool:
        if self._frames is not None:
            self._frames.receive_eof()
            self._settle(self._frames)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if self._close_timer is not None:
            self._close_timer.cancel()
        if self._frames is not None:
            self._end(CloseCode.ABNORMAL_CLOSURE, "")

    # inside

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_BYTES:
            self._transport.pause_reading()

    def _frame_received(self, frames: ServerProtocol, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            frames.fail(CloseCode.UNSUPPORTED_DATA, "Binary frames are not supported")
            self._notice_end(frames)
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            if len(frame.data) > self._max_frame:
                frames.fail(CloseCode.MESSAGE_TOO_BIG, "Frame is too large")
                self._notice_end(frames)
            else:
                self._collect(frames, frame)

    def _collect(self, frames: ServerProtocol, frame: Frame) -> None:
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        payload, self._parts = b"".join(self._parts), []
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            frames.fail(CloseCode.INVALID_DATA, "Text is not UTF-8")
            self._notice_end(frames)
        else:
            self.listener.message_received(text)

    def _settle(self, frames: ServerProtocol) -> None:
        self._flush(frames)
        self._notice_end(frames)
        if self._close_timer is None and frames.close_expected():
            loop = asyncio.get_running_loop()
            self._close_timer = loop.call_later(self._close_timeout, self._transport.abort)

    def _flush(self, frames: ServerProtocol) -> None:
        for data in frames.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()

    def _notice_end(self, frames: ServerProtocol) -> None:
        if frames.state is State.OPEN:
            return
        close = frames.close_sent or frames.close_rcvd
        if close is None:
            self._end(CloseCode.ABNORMAL_CLOSURE, "")
        elif close.code == CloseCode.NO_STATUS_RCVD:
            self._end(close.code, "Client-side close frame status not set")
        else:
            self._end(close.code, close.reason)

    def _end(self, code: int, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self.listener.socket_ended(int(code), reason)


def handshake_response(request: Request) -> Response:
    """The 101 for a valid handshake (no extension, no subprotocol: `$connect` chooses), else its refusal."""
    headers = Headers()
    for name, value in request.headers:
        headers[name] = value
    answer = ServerProtocol().accept(HandshakeRequest(request.target, headers))
    kept = [(name, value) for name, value in answer.headers.raw_items() if name.lower() not in _SET_WHEN_SENT]
    return Response(answer.status_code, kept, answer.body or b"")
