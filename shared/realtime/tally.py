"""What became of what a drain had to send."""

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field

from shared.realtime.claims import Served
from shared.realtime.sender import Outcome, Report


@dataclass(frozen=True)
class Delivered:
    """Counts of connections (of calls: `throttled`), as publish results and metrics show them.

    `delivered` got something; `gone` are no more, or were closed and come back recovering; for `deferred`, something
    is left to others: members of further lanes, of a lane that somebody else holds, or not reached in time.
    """

    delivered: int = 0
    gone: int = 0
    throttled: int = 0
    deferred: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(*(mine + more for mine, more in zip(astuple(self), astuple(other), strict=True)))

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class Tally:
    """Connections by outcome over all the batches of one drain; `left` are further ones that are others' business."""

    left: int = 0
    delivered: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)
    throttled: int = 0

    def add(self, report: Report) -> None:
        kinds = {Outcome.DELIVERED: self.delivered, Outcome.GONE: self.gone, Outcome.UNSENT: self.deferred}
        self.deferred.difference_update(report.outcomes)
        for connection, outcome in report.outcomes.items():
            kinds.get(outcome, self.closed).add(connection)
        self.throttled += report.throttled

    def hand_over(self, served: Iterable[Served]) -> None:
        """The lane's other members are for the next holder."""
        self.deferred.update(one.connection for one in served)

    def total(self) -> Delivered:
        gone = self.gone | self.closed
        return Delivered(len(self.delivered), len(gone), self.throttled, self.left + len(self.deferred - gone))
