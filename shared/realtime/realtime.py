"""Puts the realtime parts together for one environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.auth.due import DueIndex
from shared.auth.sockets import Sockets
from shared.aws.credentials import Credentials
from shared.aws.queue import LaneQueue
from shared.observe.log import configure
from shared.realtime.channels import Channels
from shared.realtime.connections import Connections
from shared.realtime.delivery import Delivery
from shared.realtime.roster import Roster
from shared.realtime.sender import Sender
from shared.realtime.session_ends import SessionEnds
from shared.realtime.upkeep import Upkeep
from shared.settings import Settings
from shared.state.client import Redis
from shared.tenant.scope import TenantScope


@dataclass(frozen=True)
class Realtime:
    """The composition root of the realtime layer; everything is made once, on first use."""

    settings: Settings
    redis: Redis

    @classmethod
    def from_settings(cls, settings: Settings) -> "Realtime":
        configure(settings.log_level)
        return cls(settings, Redis.from_settings(settings))

    @cached_property
    def due(self) -> DueIndex:
        return DueIndex(self.redis)

    @cached_property
    def sockets(self) -> Sockets:
        return Sockets(self.redis)

    @cached_property
    def sender(self) -> Sender:
        return Sender.from_settings(self.settings, Credentials.from_env())

    @cached_property
    def delivery(self) -> Delivery:
        return Delivery(
            self.redis,
            self.due,
            self.sender,
            inline_ms=self.settings.inline_drain_ms,
            queue=self._enqueue,
            reap=self._reap,
        )

    @cached_property
    def connections(self) -> Connections:
        return Connections(self.redis, self.sockets, self.delivery, self.settings)

    @cached_property
    def channels(self) -> Channels:
        return Channels(self.redis, self.sockets, self.delivery, self.connections, self.roster)

    @cached_property
    def roster(self) -> Roster:
        return Roster(self.redis, self.sockets)

    @cached_property
    def session_ends(self) -> SessionEnds:
        return SessionEnds(self.redis, self.due, self.channels, self.roster)

    @cached_property
    def upkeep(self) -> Upkeep:
        return Upkeep(self.redis, self.sockets, self.connections, self.delivery, self.sender)

    @cached_property
    def _lane_queue(self) -> LaneQueue:
        return LaneQueue.from_settings(self.settings)

    def _enqueue(self, messages: Sequence[str], delay_s: int) -> None:
        """Without a queue, sweep resumes what is left."""
        if self.settings.lanes_queue_url:
            self._lane_queue.send(messages, delay_s)

    def _reap(self, scope: TenantScope, connection: str) -> None:
        """A connection found gone: its record may be gone, too."""
        socket = self.sockets.find(connection)
        if socket is not None and socket.scope == scope:
            self.connections.disconnect(socket)
