"""Who hears of a session: the channel `session:<id>` and those of the session's files follow who may read it."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from shared.auth.identity import Identity, Permission
from shared.realtime.channels import Channels
from shared.sessions.access import may
from shared.sessions.model import Session, Status
from shared.sessions.store import SessionStore
from shared.tenant.scope import TenantScope

OwnedChannels = Callable[[TenantScope, str], Iterable[tuple[str, str]]]
"""The channels that a session's readers hear beside its own, each with its owner, who always hears it."""

# API Gateway gives up on the request after 30 s; sweep goes on with what is left.
_INLINE_S: Final = 10.0


class Audience:
    """Lets go of those who may not hear a session any more."""

    def __init__(self, store: SessionStore, channels: Channels, others: OwnedChannels) -> None:
        self._store = store
        self._channels = channels
        self._others = others

    def review(self, scope: TenantScope, session_id: str, until: float | None = None) -> bool:
        """Unsubscribes whoever may not read the session (everybody when it is over); True when all were looked at.

        Stops at `until` (time.monotonic).
        """
        until = time.monotonic() + _INLINE_S if until is None else until
        (session,) = self._store.read_many(scope, [session_id])
        channel = f"session:{session_id}"
        if session is None or session.status is not Status.ACTIVE:
            # Its last event is for them all.
            done = self._channels.settle(scope, channel, until) and self._keep(scope, channel, until, _nobody)
        else:
            done = self._keep(scope, channel, until, lambda identity: _reads(identity, session))
        return done and all(
            self._keep(scope, other, until, lambda identity: _owns(identity, owner) or _reads(identity, session))  # noqa: B023 (used at once)
            for other, owner in self._others(scope, session_id)
        )

    def _keep(self, scope: TenantScope, channel: str, until: float, whom: Callable[[Identity], bool]) -> bool:
        return self._channels.unsubscribe_unless(scope, channel, whom, until)


def _nobody(identity: Identity) -> bool:
    return False


def _owns(identity: Identity, owner: str) -> bool:
    return identity.is_admin or identity.user == owner


def _reads(identity: Identity, session: Session | None) -> bool:
    return session is not None and identity.allows(Permission.READ) and may(identity, session, "read")
