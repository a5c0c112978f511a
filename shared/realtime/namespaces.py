"""What a channel may do, by the namespace before its first colon; option names are Centrifugo's."""

import re
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import UnknownChannel

MAX_CHANNEL_BYTES: Final = 80
_NAME: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """Options of the channels of one namespace; `history_ttl` is in seconds."""

    history_size: int = 100
    history_ttl: int = 300
    force_recovery: bool = True
    presence: bool = True
    join_leave: bool = True
    force_push_join_leave: bool = False
    allow_subscribe_for_client: bool = True
    allow_publish_for_subscriber: bool = True
    allow_history_for_subscriber: bool = True
    allow_presence_for_subscriber: bool = True
    subscription_token: bool = False

    @property
    def has_history(self) -> bool:
        return self.history_size > 0 and self.history_ttl > 0

    @property
    def recoverable(self) -> bool:
        return self.has_history and self.force_recovery

    @property
    def shown_size(self) -> int:
        """How many publications history shows; delivery keeps what it needs for itself (lua/append.lua)."""
        return self.history_size if self.has_history else 0

    @property
    def shown_ms(self) -> int:
        """And for how long."""
        return self.history_ttl * 1000 if self.has_history else 0


_DEFAULT: Final = Namespace()
_SERVER_ONLY: Final = replace(_DEFAULT, allow_publish_for_subscriber=False)

# Declare an application's namespaces here.
NAMESPACES: Final[dict[str, Namespace]] = {
    "session": _SERVER_ONLY,
    "file": _SERVER_ONLY,
    "user": replace(_SERVER_ONLY, allow_subscribe_for_client=False, join_leave=False),
}


def check_name(channel: str) -> str:
    """The channel's name if it can be one: 1 to 80 bytes of printable ASCII without spaces."""
    if not 0 < len(channel) <= MAX_CHANNEL_BYTES or not _NAME.fullmatch(channel):
        raise UnknownChannel("channel names are 1 to 80 bytes of printable ASCII without spaces")
    if channel.endswith(":") and channel[:-1] in NAMESPACES:
        raise UnknownChannel(f"an id is missing after {channel}")
    return channel


def namespace_of(channel: str) -> Namespace:
    """The options of the channel's namespace; undeclared ones have the defaults."""
    name, colon, _ = channel.partition(":")
    return NAMESPACES.get(name, _DEFAULT) if colon else _DEFAULT


def thing_of(channel: str, kind: str) -> str | None:
    """The id in `<kind>:<id>`; None for other channels."""
    name, _, rest = channel.partition(":")
    return rest if name == kind and rest else None


def personal_channel(user: str) -> str:
    return f"user:{user}"
