"""Sign-in links without a mailbox: the administrator gets the token that the e-mail would have carried."""

import hashlib
import secrets
from dataclasses import dataclass

from local.issuer.accounts import Account
from local.issuer.errors import AuthError, invalid

LIFETIME_S = 3600.0
LINK_TYPES = ("magiclink", "recovery")
_VERIFIABLE = frozenset({*LINK_TYPES, "email"})


@dataclass(frozen=True)
class OneTimeToken:
    """`otp` is the six digits of the e-mail, `hashed` what its link carries."""

    user_id: str
    otp: str
    hashed: str
    expires_at: float


class OneTimeTokens:
    """At most one per user, in memory: a restart invalidates them."""

    def __init__(self) -> None:
        self._of_user: dict[str, OneTimeToken] = {}

    def issue(self, account: Account, now: float) -> OneTimeToken:
        otp = f"{secrets.randbelow(10**6):06}"
        hashed = hashlib.sha224(f"{account.email}{otp}{secrets.token_hex(16)}".encode()).hexdigest()
        token = OneTimeToken(account.id, otp, hashed, now + LIFETIME_S)
        self._of_user[account.id] = token
        return token

    def spend(self, kind: object, now: float, hashed: object, otp: object, account: Account | None) -> str:
        """The user id of a token named by its hash, or by its digits and owner; each works once."""
        if kind not in _VERIFIABLE:
            raise invalid("Verify requires a verification type")
        if isinstance(hashed, str):
            found = next((token for token in self._of_user.values() if token.hashed == hashed), None)
        else:
            found = self._of_user.get(account.id) if account is not None else None
            if found is not None and found.otp != otp:
                found = None
        if found is None or found.expires_at <= now:
            raise AuthError(403, "otp_expired", "Token has expired or is invalid")
        return self._of_user.pop(found.user_id).user_id
