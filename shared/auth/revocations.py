"""What ends tokens before their time: written here, read by every script that acts for a user (lua/revocation.lua)."""

import time
from collections.abc import Callable
from typing import Final

from shared.auth.identity import Identity
from shared.errors import Invalid, InvalidToken
from shared.state.client import Argument, Redis
from shared.state.keys import Key
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

# The longest life that Supabase lets a project give its access tokens is a week.
LONGEST_TOKEN_LIFE_S: Final = 7 * 86_400
LONGEST_BLOCK_S: Final = 10 * 365 * 86_400
_MARGIN_S: Final = 3_600
_REVOKE: Final = script(__file__, "revoke")
_CHECK: Final = script(__file__, "check_revocation")


class Revocations:
    """Revokes in one tenant. Open connections are not closed by this: close them afterwards, not before."""

    def __init__(self, redis: Redis, scope: TenantScope, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._scope = scope
        self._now = now

    def revoke_tokens(self, user: str, issued_before: int | None = None) -> None:
        """All tokens of the user issued before then (unix s), and without it all that there are by now.

        A later moment stands against an earlier one that comes after it.
        """
        before = int(self._now()) + 1 if issued_before is None else issued_before
        self._write(self._of(user), "revoked_before", before, before + LONGEST_TOKEN_LIFE_S)

    def revoke_session(self, user: str, session: str, until: int = 0) -> None:
        """All tokens of one Supabase session; signing out ends it at Supabase, this ends the tokens that are left.

        The record of it may go at `until` (unix s), by default when no such token can be good any more.
        """
        self._void(self._of(user), session, until)

    def revoke_unseen(self, session: str, until: int = 0) -> None:
        """The same while nobody knows whose session it is; noticed within a minute (revoked_sessions.py)."""
        self._void(self._scope.key("revoked"), session, until)

    def block(self, user: str, until: int = 0) -> None:
        """Shuts the user out until then (unix s); 0 is ten years."""
        longest = int(self._now()) + LONGEST_BLOCK_S
        end = min(until or longest, longest)
        self._write(self._of(user), "blocked", end, end)

    def unblock(self, user: str) -> None:
        """Lets a blocked user in again; other revocations stay."""
        self._redis.call("HDEL", self._of(user), "blocked", idempotent=True)

    def refuse(self, caller: Identity) -> None:
        """Raises InvalidToken for a caller whose token is void. API keys are looked up each time anyway."""
        if caller.source != "token":
            return
        args: dict[str, Argument] = {
            "session": caller.session,
            "issued_at": caller.issued_at,
            "now_s": int(self._now()),
        }
        if self._redis.run(_CHECK, {"user": self._of(caller.user)}, args, idempotent=True):
            raise InvalidToken("the token was revoked")

    def _of(self, user: str) -> Key:
        return self._scope.key("user", user)

    def _void(self, key: Key, session: str, until: int) -> None:
        if not session:
            raise Invalid("a session is needed")
        until = until or int(self._now()) + LONGEST_TOKEN_LIFE_S
        self._write(key, f"revoked:{session}", until, until)

    def _write(self, key: Key, field: str, until: int, matters_until: int) -> None:
        now = int(self._now())
        args: dict[str, Argument] = {
            "field": field,
            "until_s": until,
            "keep_until_ms": (max(matters_until, now) + _MARGIN_S) * 1000,
            "now_s": now,
        }
        self._redis.run(_REVOKE, {"held": key}, args, idempotent=True)
