"""What a subscription token allows, apart from how it is verified."""

from dataclasses import dataclass
from typing import Final

MAX_INFO_BYTES: Final = 1_024


@dataclass(frozen=True)
class Grant:
    """What a good token says: `expires_at` is the subscription's end (unix s, 0 never), `info` JSON text or empty."""

    channel: str
    expires_at: int
    issued_at: int
    info: str
