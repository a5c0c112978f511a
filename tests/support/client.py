"""A raw protocol client on the stock `websockets` library: sends commands, keeps everything that arrives."""

import itertools
import json
import threading
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


class Refused(Exception):
    """The server answered a command with an error; `.code` is Centrifugo's."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.code = error["code"]


class Client:
    """One socket. `connect=False` leaves the `connect` command to the test."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        header: bool = True,
        connect: bool = True,
        subs: dict[str, Any] | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token and header else {}
        self.socket: ClientConnection = self._open(url, headers)
        self._ids = itertools.count(1)
        self._news = threading.Condition()
        self.frames: list[dict[str, Any]] = []
        self.closed: ConnectionClosed | None = None
        threading.Thread(target=self._listen, daemon=True).start()
        self.connected: dict[str, Any] = {}
        if connect:
            asked: dict[str, Any] = {} if header else {"token": token}
            if subs:
                asked["subs"] = subs
            self.connected = self.call("connect", **asked)

    @staticmethod
    def _open(url: str, headers: dict[str, str]) -> ClientConnection:
        return connect(url, additional_headers=headers, compression=None, ping_interval=None, open_timeout=30)

    @property
    def id(self) -> str:
        return str(self.connected["client"])

    def send(self, method: str, /, **params: Any) -> int:
        """Sends a command without waiting; returns its id."""
        command_id = next(self._ids)
        self.socket.send(json.dumps({"id": command_id, method: params}))
        return command_id

    def call(self, method: str, /, *, within_s: float = 20.0, **params: Any) -> dict[str, Any]:
        """The reply's result. Raises Refused for an error reply, TimeoutError without one."""
        return self.reply(self.send(method, **params), method, within_s)

    def reply(self, command_id: int, method: str, within_s: float = 20.0) -> dict[str, Any]:
        frame = self.wait(lambda frame: frame.get("id") == command_id, within_s)
        if "error" in frame:
            raise Refused(frame["error"])
        return dict(frame[method])

    def subscribe(self, channel: str, **options: Any) -> dict[str, Any]:
        return self.call("subscribe", channel=channel, **options)

    def publish(self, channel: str, data: Any) -> None:
        self.call("publish", channel=channel, data=data)

    def pushes(self, channel: str, kind: str = "pub") -> list[dict[str, Any]]:
        """Everything of a kind pushed for the channel so far."""
        with self._news:
            found = [frame["push"] for frame in self.frames if "push" in frame]
        return [push[kind] for push in found if push.get("channel") == channel and kind in push]

    def wait_for(self, channel: str, count: int, kind: str = "pub", within_s: float = 20.0) -> list[dict[str, Any]]:
        """The pushes of the channel, once there are `count`."""
        with self._news:
            self._news.wait_for(lambda: len(self._pushed(channel, kind)) >= count or self.closed, within_s)
        return self.pushes(channel, kind)

    def wait(self, wanted: Any, within_s: float = 20.0) -> dict[str, Any]:
        """The first frame that is wanted."""
        with self._news:
            self._news.wait_for(lambda: any(map(wanted, self.frames)) or self.closed, within_s)
            for frame in self.frames:
                if wanted(frame):
                    return frame
        raise TimeoutError(f"not among {self.frames[-5:]}; closed: {self.closed}")

    def disconnect_push(self, within_s: float = 20.0) -> dict[str, Any]:
        """The `disconnect` push, once it came."""
        frame = self.wait(lambda frame: "disconnect" in frame.get("push", {}), within_s)
        return dict(frame["push"]["disconnect"])

    def wait_closed(self, within_s: float = 20.0) -> ConnectionClosed:
        with self._news:
            self._news.wait_for(lambda: self.closed is not None, within_s)
        assert self.closed is not None
        return self.closed

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _pushed(self, channel: str, kind: str) -> list[dict[str, Any]]:
        pushes = [frame["push"] for frame in self.frames if "push" in frame]
        return [push for push in pushes if push.get("channel") == channel and kind in push]

    def _listen(self) -> None:
        try:
            while True:
                text = self.socket.recv()
                assert isinstance(text, str)
                arrived = [json.loads(line) for line in text.split("\n")]
                with self._news:
                    self.frames += arrived
                    self._news.notify_all()
        except ConnectionClosed as closed:
            with self._news:
                self.closed = closed
                self._news.notify_all()
