"""What goes wrong between a function and Upstash, on demand: each of these has broken the stock client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from local.redis.scripts import Command

QUOTA_ERROR = (
    "ERR max requests limit exceeded. Limit: 500000, Usage: 500000. "
    "See https://upstash.com/docs/redis/troubleshooting/max_requests_limit for details"
)
BAD_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"

Condition = Callable[[Sequence[Command]], bool]


class Fault(StrEnum):
    """`AFTER` means that the commands were executed although the caller cannot know it."""

    BAD_GATEWAY = "bad-gateway"
    BAD_GATEWAY_AFTER = "bad-gateway-after"
    DROP = "drop"
    DROP_AFTER = "drop-after"
    EMPTY_AFTER = "empty-after"
    HANG = "hang"
    HANG_AFTER = "hang-after"
    QUOTA = "quota"

    @property
    def executes(self) -> bool:
        return self.value.endswith("-after")

    @property
    def kind(self) -> str:
        return self.value.removesuffix("-after")


@dataclass
class _Planned:
    fault: Fault
    times: int | None
    condition: Condition | None


class Faults:
    """Plans of one gateway; may be changed from any thread, at any time.

    `delay_s` holds every answer back, as Upstash does over its commands-per-second limit.
    `scripts_lost_after` = n: the script cache is really emptied before the n+1st EVALSHA (then None again).
    """

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self.clear()

    def inject(self, fault: Fault, times: int | None = 1, when: Condition | None = None) -> None:
        """Hit the next `times` requests (None: all) whose commands satisfy `when`."""
        self._planned.append(_Planned(fault, times, when))

    def clear(self) -> None:
        """No faults from now on."""
        self.delay_s = 0.0
        self.scripts_lost_after: int | None = None
        self._planned.clear()

    def next_for(self, commands: Sequence[Command], header: str = "") -> Fault | None:
        """The fault this request suffers; `header` (`x-local-fault`) names one for this request only."""
        if header:
            return Fault(header)
        for planned in self._planned:
            if planned.condition is None or planned.condition(commands):
                self._count_down(planned)
                return planned.fault
        return None

    def scripts_are_lost(self, commands: Sequence[Command]) -> bool:
        if self.scripts_lost_after is None:
            return False
        self.scripts_lost_after -= sum(command[0].upper().startswith(b"EVALSHA") for command in commands)
        if self.scripts_lost_after >= 0:
            return False
        self.scripts_lost_after = None
        return True

    def _count_down(self, planned: _Planned) -> None:
        if planned.times is not None:
            planned.times -= 1
            if planned.times <= 0:
                self._planned.remove(planned)
