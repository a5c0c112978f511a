"""Access tokens exactly as Supabase Auth makes them, with its hook for custom claims."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from local.issuer.accounts import Account, Json
from local.issuer.errors import AuthError
from local.issuer.keys import SigningKeys
from local.issuer.sessions import Session

AccessTokenHook = Callable[[Json], Json]
"""Takes `{"metadata", "user_id", "claims", "authentication_method"}`; returns `{"claims": …}` or
`{"error": {"http_code", "message"}}`, like Supabase's Custom Access Token Hook."""

_HOOK_MUST_KEEP = ("aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous")


class TokenMaker:
    """Signs with `keys`; `lifetime_s`, `hook` and `now` (Unix seconds) may be changed at any time."""

    def __init__(self, keys: SigningKeys, lifetime_s: int = 3600, hook: AccessTokenHook | None = None) -> None:
        self.keys = keys
        self.lifetime_s = lifetime_s
        self.hook = hook
        self.now: Callable[[], float] = time.time
        self.issuer = ""

    def for_session(self, account: Account, session: Session, method: str) -> tuple[str, int]:
        """The token and its expiry; `method` is what the hook sees as `authentication_method`."""
        claims = self.claims(account, session)
        if self.hook is not None:
            claims = self._hooked(claims, account.id, method)
        return self.keys.sign(claims), int(claims["exp"])

    def claims(self, account: Account, session: Session) -> Json:
        issued = int(self.now())
        return {
            "iss": self.issuer,
            "sub": account.id,
            "aud": "authenticated",
            "exp": issued + self.lifetime_s,
            "iat": issued,
            "email": account.email,
            "phone": account.phone,
            "app_metadata": account.app_metadata,
            "user_metadata": account.user_metadata,
            "role": account.role,
            "aal": session.aal,
            "amr": session.amr,
            "session_id": session.id,
            "is_anonymous": account.is_anonymous,
        }

    def sample_claims(self) -> Json:
        """Valid claims of a user and session that exist nowhere, to be bent by tests."""
        now = self.now()
        account = Account(
            id=str(uuid.uuid4()),
            email="someone@example.test",
            password_hash="",
            created_at=now,
            updated_at=now,
            app_metadata={"provider": "email", "providers": ["email"]},
        )
        session = Session(account.id, [{"method": "password", "timestamp": int(now)}], now)
        return self.claims(account, session)

    def _hooked(self, claims: Json, user_id: str, method: str) -> Json:
        assert self.hook is not None  # noqa: S101 (only called when there is one)
        metadata = {"uuid": str(uuid.uuid4()), "name": "customize-access-token", "ip_address": "127.0.0.1"}
        event: dict[str, Any] = {
            "metadata": metadata,
            "user_id": user_id,
            "claims": claims,
            "authentication_method": method,
        }
        answer = self.hook(event)
        if error := answer.get("error"):
            status = int(error.get("http_code", 500))
            raise AuthError(status, "unexpected_failure", str(error.get("message", "Hook failed")))
        changed: Json = answer.get("claims") or {}
        missing = [name for name in _HOOK_MUST_KEEP if name not in changed]
        if missing:
            message = f"output claims do not conform to the expected schema: missing {', '.join(missing)}"
            raise AuthError(500, "unexpected_failure", message)
        return changed
