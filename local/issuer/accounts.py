"""Users: their record, its JSON as Supabase answers it, and the rules for changing it."""

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.issuer.errors import AuthError, email_exists, invalid, user_not_found

Json = dict[str, Any]
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Account:
    """A user; times are Unix seconds, None = never."""

    id: str
    email: str
    password_hash: str
    created_at: float
    updated_at: float
    app_metadata: Json = field(default_factory=dict)
    user_metadata: Json = field(default_factory=dict)
    role: str = "authenticated"
    phone: str = ""
    identity_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    email_confirmed_at: float | None = None
    last_sign_in_at: float | None = None
    banned_until: float | None = None
    deleted_at: float | None = None
    is_anonymous: bool = False
    new_email: str = ""

    def is_banned(self, now: float) -> bool:
        return self.banned_until is not None and self.banned_until > now

    def view(self) -> Json:
        """The User object of every answer."""
        seen: Json = {
            "id": self.id,
            "aud": "authenticated",
            "role": self.role,
            "email": self.email,
            "phone": self.phone,
            "app_metadata": self.app_metadata,
            "user_metadata": self.user_metadata,
            "identities": [] if self.is_anonymous or self.deleted_at else [self._identity()],
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "is_anonymous": self.is_anonymous,
        }
        times = ("email_confirmed_at", "last_sign_in_at", "banned_until", "deleted_at")
        seen |= {name: iso(at) for name in times if (at := getattr(self, name)) is not None}
        if self.email_confirmed_at is not None:
            seen["confirmed_at"] = iso(self.email_confirmed_at)
        if self.new_email:
            seen["new_email"] = self.new_email
        return seen

    def _identity(self) -> Json:
        confirmed = self.email_confirmed_at is not None
        data = {"email": self.email, "sub": self.id, "email_verified": confirmed, "phone_verified": False}
        return {
            "identity_id": self.identity_id,
            "id": self.id,
            "user_id": self.id,
            "identity_data": data,
            "provider": "email",
            "last_sign_in_at": iso(self.last_sign_in_at or self.created_at),
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "email": self.email,
        }


class Accounts:
    """All users of the project, in order of creation."""

    def __init__(self) -> None:
        self._by_id: dict[str, Account] = {}

    def add(self, account: Account) -> None:
        if account.id in self._by_id:
            raise AuthError(422, "user_already_exists", "User already registered")
        self._by_id[account.id] = account

    def get(self, user_id: str) -> Account:
        """`AuthError` 404 for an id nobody has."""
        try:
            account = self._by_id.get(str(uuid.UUID(user_id)))
        except ValueError:
            raise AuthError(404, "validation_failed", "user_id must be an UUID") from None
        if account is None:
            raise user_not_found()
        return account

    def find(self, user_id: object) -> Account | None:
        return self._by_id.get(user_id) if isinstance(user_id, str) else None

    def with_email(self, email: str) -> Account | None:
        wanted = email.strip().lower()
        return next((a for a in self._by_id.values() if a.email == wanted and not a.deleted_at), None)

    def remove(self, account: Account) -> None:
        del self._by_id[account.id]

    def all(self) -> list[Account]:
        return list(self._by_id.values())

    def free_email(self, email: object, owner: Account | None = None) -> str:
        """The address in its stored form; `AuthError` if malformed or another user's."""
        address = clean_email(email)
        holder = self.with_email(address)
        if holder is not None and holder is not owner:
            raise email_exists()
        return address


def clean_email(email: object) -> str:
    if not isinstance(email, str) or not _EMAIL.fullmatch(email.strip()):
        raise invalid("Unable to validate email address: invalid format")
    return email.strip().lower()


def merged(old: Json, changes: object, name: str) -> Json:
    """Supabase merges metadata member by member; null removes a member."""
    if not isinstance(changes, dict):
        raise invalid(f"{name} must be an object")
    return {k: v for k, v in {**old, **changes}.items() if v is not None}


def ban_end(duration: object, now: float) -> float | None:
    """`"24h"`, `"1h30m"` → Unix seconds; `"none"` lifts a ban."""
    if duration == "none":
        return None
    parts = _DURATION.findall(duration) if isinstance(duration, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise invalid("invalid format for ban duration")
    return now + sum(float(number) * _SECONDS[unit] for number, unit in parts)
