"""Sign-in sessions and their rotating refresh tokens, with Supabase's rules for reuse."""

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from local.issuer.errors import AuthError

REUSE_INTERVAL_S = 10.0


@dataclass
class RefreshToken:
    token: str
    parent: str
    updated_at: float
    revoked: bool = False


@dataclass
class Session:
    """One sign-in; `amr` and `aal` are claims of every access token it gets."""

    user_id: str
    amr: list[dict[str, Any]]
    created_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    aal: str = "aal1"
    tokens: list[RefreshToken] = field(default_factory=list)

    def active(self) -> RefreshToken | None:
        return next((token for token in reversed(self.tokens) if not token.revoked), None)

    def issue(self, now: float, parent: str = "") -> RefreshToken:
        token = RefreshToken(secrets.token_urlsafe(9), parent, now)
        self.tokens.append(token)
        return token


class Sessions:
    """All sessions, found by id, user or refresh token."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}
        self._by_token: dict[str, Session] = {}

    def open(self, user_id: str, method: str, now: float) -> Session:
        session = Session(user_id, [{"method": method, "timestamp": int(now)}], now)
        session.issue(now)
        self.add(session)
        return session

    def add(self, session: Session) -> None:
        self._by_id[session.id] = session
        self._by_token |= {token.token: session for token in session.tokens}

    def get(self, session_id: object) -> Session | None:
        return self._by_id.get(session_id) if isinstance(session_id, str) else None

    def of_token(self, refresh_token: str) -> Session:
        session = self._by_token.get(refresh_token)
        if session is None:
            message = "Invalid Refresh Token: Refresh Token Not Found"
            raise AuthError(400, "refresh_token_not_found", message)
        return session

    def rotate(self, session: Session, refresh_token: str, now: float) -> RefreshToken:
        """The successor of a token.

        A used token is answered once more if its successor was never used (the client lost our answer),
        or within the reuse interval; otherwise it was stolen, and every token of the session is revoked.
        """
        used = next(token for token in session.tokens if token.token == refresh_token)
        active = session.active()
        if used.revoked:
            if active is not None and active.parent == used.token:
                return active
            if now > used.updated_at + REUSE_INTERVAL_S or active is None:
                self._revoke_all(session, now)
                raise AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        else:
            used.revoked, used.updated_at = True, now
        issued = session.issue(now, used.token)
        self._by_token[issued.token] = session
        return issued

    def close(self, session: Session) -> None:
        self._by_id.pop(session.id, None)
        for token in session.tokens:
            self._by_token.pop(token.token, None)

    def close_for(self, user_id: str, keep: Session | None = None) -> None:
        """End every session of a user, except `keep`."""
        for session in [s for s in self._by_id.values() if s.user_id == user_id and s is not keep]:
            self.close(session)

    def all(self) -> list[Session]:
        return list(self._by_id.values())

    def _revoke_all(self, session: Session, now: float) -> None:
        for token in session.tokens:
            if not token.revoked:
                token.revoked, token.updated_at = True, now
