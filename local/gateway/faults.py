"""Everything that goes wrong between a function and a socket on AWS, on demand."""

from dataclasses import dataclass, field
from random import Random


@dataclass
class ConnectionFault:
    """One way `@connections` requests fail.

    connection_id: hits this connection only; None hits all.
    share: the part of the matching requests that is hit, 0..1.
    methods: HTTP methods that are hit.
    times: how many requests it hits before it wears off; None is for ever.
    delay: seconds before anything happens.
    status: answered instead of the real answer; None answers the truth.
    hang: never answers.
    effect: the request is carried out all the same (the message arrives, the connection is closed).
    """

    connection_id: str | None = None
    share: float = 1.0
    methods: frozenset[str] = frozenset({"POST"})
    times: int | None = None
    delay: float = 0.0
    status: int | None = None
    hang: bool = False
    effect: bool = False


@dataclass
class Faults:
    """Mutable while the gateway runs.

    disconnect_loss: the part of the `$disconnect` events that is never delivered, 0..1.
    disconnect_delay: each `$disconnect` event comes so many seconds late.
    message_jitter: each client message waits up to so many seconds before its function runs: order is lost.
    connections: the first fault that matches a request is the one that hits it.
    """

    disconnect_loss: float = 0.0
    disconnect_delay: float = 0.0
    message_jitter: float = 0.0
    connections: list[ConnectionFault] = field(default_factory=list)
    random: Random = field(default_factory=Random)

    def loses_disconnect(self) -> bool:
        return self.disconnect_loss > 0 and self.random.random() < self.disconnect_loss

    def jitter(self) -> float:
        return self.random.uniform(0, self.message_jitter) if self.message_jitter else 0.0

    def strike(self, method: str, connection_id: str) -> ConnectionFault | None:
        """The fault that hits this request, its use counted."""
        for fault in self.connections:
            if self._hits(fault, method, connection_id):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def _hits(self, fault: ConnectionFault, method: str, connection_id: str) -> bool:
        return (
            method in fault.methods
            and fault.connection_id in (None, connection_id)
            and fault.times != 0
            and (fault.share >= 1 or self.random.random() < fault.share)
        )

    def clear(self) -> None:
        self.disconnect_loss = 0.0
        self.disconnect_delay = 0.0
        self.message_jitter = 0.0
        self.connections.clear()
        self.random = Random()  # noqa: S311 (not a secret)
