"""How a command can fail, told apart by the one question that matters: may it have been executed?

None of these shows the caller what the server said; `str(error)` does, for the log.
"""

from shared.errors import Internal, Unavailable


class Unreachable(Unavailable):
    """Certainly not executed: no connection, or turned away before execution (`http_status` 3xx or 4xx)."""

    def __init__(self, reason: str, http_status: int | None = None) -> None:
        super().__init__(retry_after=1)
        self.reason = reason
        self.http_status = http_status

    def __str__(self) -> str:
        return self.reason


class OutcomeUnknown(Unavailable):
    """Perhaps executed: no answer in time, connection lost after sending, 5xx, or an answer that is none."""

    def __init__(self, reason: str, http_status: int | None = None) -> None:
        super().__init__(retry_after=1)
        self.reason = reason
        self.http_status = http_status

    def __str__(self) -> str:
        return self.reason


class CommandRefused(Internal):
    """The server answered with an error; compare only its first word, the rest differs between engines."""

    def __init__(self, message: str, http_status: int) -> None:
        super().__init__()
        self.message = message
        self.http_status = http_status

    @property
    def kind(self) -> str:
        """The first word: NOSCRIPT, WRONGTYPE, ERR, …"""
        return self.message.partition(" ")[0]

    def __str__(self) -> str:
        return self.message
