"""A client that behaves as centrifuge-js does, and holds what it hears against the promises."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.support.promises import Broken, Heard, Position, Story, Truth, heard_of


@dataclass
class Socket:
    """One WebSocket; `cut` means that the client has gone and API Gateway does not know it yet."""

    connection: str
    client: "Client"
    cut: bool = False
    frames: list[str] = field(default_factory=list)

    def receive(self, frame: str) -> None:
        if not self.cut:
            self.frames.append(frame)
            self.client.receive(self, frame)

    def closed(self) -> None:
        if self.client.socket is self:
            self.client.closed()


class Client:
    """Reconnects, subscribes again and recovers by itself; when, a test decides.

    `send` has a frame handled, `open_socket` gives a socket, `faults` says how many there were so far.
    """

    def __init__(
        self,
        user: str,
        room: Truth,
        personal: Truth,
        *,
        listens: bool,
        open_socket: Callable[["Client"], Socket],
        send: Callable[[Socket, str], None],
        hang_up: Callable[[Socket], None],
        faults: Callable[[], int],
    ) -> None:
        self.user = user
        self.socket: Socket | None = None
        self.connected = False
        self.wants = True
        self.state = "unsubscribed"
        self.acknowledged: list[int] = []
        self.room = Story(room, listens)
        self.personal = Story(personal, False)
        self._open_socket, self._send, self._hang_up, self._faults = open_socket, send, hang_up, faults
        self._cmd = 0
        self._waiting: dict[int, tuple[str, Any]] = {}
        self._awaited = 0
        self._held_back: list[str] = []

    @property
    def stuck(self) -> bool:
        """Waits for an answer, or is to try again: what an SDK ends by its timeouts."""
        asked = any(method == "unsubscribe" for method, _ in self._waiting.values())
        return not self.connected or asked or (self.wants and self.state != "subscribed")

    def connect(self, *, eagerly: bool) -> None:
        """Opens a socket and says `connect`; eagerly, `subscribe` goes in the same frame."""
        self.socket, self.connected, self._cmd = self._open_socket(self), False, 0
        self._waiting, self._awaited, self._held_back = {}, 0, []
        self.state = "subscribing" if self.wants else "unsubscribed"
        wanted = self.personal.position
        subs = {} if wanted is None else {self.personal.truth.channel: _recovering(wanted)}
        lines = [self._command("connect", {"token": self.user, "subs": subs}, wanted)]
        if eagerly and self.wants:
            lines.append(self._subscribing())
        self._say(*lines)

    def subscribe(self) -> None:
        self.wants = True
        if self.state == "unsubscribed":
            self.state = "subscribing"
        if self.connected and self.state == "subscribing" and not self._awaited:
            self._say(self._subscribing())

    def unsubscribe(self) -> None:
        self.wants = False
        if self.state == "subscribed" or self._awaited:
            # Before `connect` is answered it would race with that.
            self._say(self._unsubscribing()) if self.connected else self._held_back.append("unsubscribe")
        self.state, self._awaited = "unsubscribed", 0

    def publish(self, value: int) -> bool:
        if not (self.connected and self.state == "subscribed"):
            return False
        self._say(self._command("publish", {"channel": self.room.truth.channel, "data": value}, value))
        return True

    def times_out(self) -> None:
        """An answer did not come: a new socket."""
        if self.socket is not None:
            self._hang_up(self.socket)
        self.closed()

    def closed(self) -> None:
        self.socket, self.connected = None, False

    def receive(self, socket: Socket, frame: str) -> None:
        if socket is not self.socket:
            return
        told = [json.loads(line) for line in frame.split("\n")]
        for is_push, lines in groupby(told, lambda line: "push" in line):
            if is_push:
                self._pushed([line["push"] for line in lines])
            else:
                for reply in lines:
                    self._replied(reply)

    def _say(self, *lines: str) -> None:
        assert self.socket is not None
        self._send(self.socket, "\n".join(lines))

    def _command(self, method: str, members: dict[str, Any], about: Any = None) -> str:
        self._cmd += 1
        self._waiting[self._cmd] = (method, about)
        return json.dumps({"id": self._cmd, method: members})

    def _subscribing(self) -> str:
        wanted = self.room.position
        recovering = {} if wanted is None else _recovering(wanted)
        members = {"channel": self.room.truth.channel, "join_leave": self.room.listens, **recovering}
        command = self._command("subscribe", members, wanted)
        self._awaited = self._cmd
        return command

    def _unsubscribing(self) -> str:
        return self._command("unsubscribe", {"channel": self.room.truth.channel})

    def _replied(self, reply: dict[str, Any]) -> None:
        method, about = self._waiting.pop(reply["id"], ("", None))
        if "error" in reply:
            self._refused(method, reply["id"], reply["error"])
        elif method == "connect":
            self.connected = True
            self.personal.starts(reply["connect"]["subs"][self.personal.truth.channel], about)
            if self._held_back:
                self._say(self._unsubscribing())
            if self.wants:
                self.subscribe()
        elif method == "subscribe" and reply["id"] == self._awaited:
            self.state, self._awaited = "subscribed", 0
            self.room.starts(reply["subscribe"], about)
        elif method == "publish":
            self.acknowledged.append(about)

    def _refused(self, method: str, cmd: int, error: dict[str, Any]) -> None:
        if not error.get("temporary") and method != "publish":
            raise Broken(f"{method} of {self.user} refused: {error}")
        if method in ("connect", "unsubscribe"):
            self.times_out()
        elif cmd == self._awaited:
            self._awaited = 0

    def _pushed(self, pushes: Sequence[dict[str, Any]]) -> None:
        for channel, group in groupby(pushes, lambda push: push.get("channel", "")):
            entries: list[Heard] = []
            for push in group:
                heard = heard_of(push)
                if heard is not None:
                    entries.append(heard)
                elif "unsubscribe" in push:
                    self._hear(channel, entries)
                    entries = []
                    self._unsubscribed(push["unsubscribe"]["code"])
                elif "disconnect" in push:
                    self._disconnected(push["disconnect"])
                    return
            self._hear(channel, entries)

    def _hear(self, channel: str, entries: list[Heard]) -> None:
        if channel == self.personal.truth.channel and entries:
            if not self.connected:
                raise Broken(f"{entries} before the connect reply")
            self.personal.hears(entries, self._faults())
        elif self.state == "subscribed":
            self.room.hears(entries, self._faults())

    def _unsubscribed(self, code: int) -> None:
        if not (self._faults() or self.room.truth.damaged):
            raise Broken(f"unsubscribed with {code} for nothing")
        if self.state == "subscribed":
            self.state = "subscribing"
            self._say(self._subscribing())

    def _disconnected(self, push: dict[str, Any]) -> None:
        if push["code"] >= 3500:
            raise Broken(f"sent away: {push}")
        self.times_out()


def _recovering(position: Position) -> dict[str, Any]:
    return {"recover": True, "epoch": position.epoch, "offset": position.offset}
