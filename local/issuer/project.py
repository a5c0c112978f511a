"""One Supabase project's users, sessions and keys, and what can be done with them: no HTTP here."""

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import jwt

from local.issuer import passwords
from local.issuer.accounts import Account, Accounts, Json, ban_end, merged
from local.issuer.errors import AuthError, bad_jwt, banned, invalid, invalid_credentials
from local.issuer.keys import Algorithm, SigningKeys
from local.issuer.one_time import OneTimeTokens
from local.issuer.sessions import RefreshToken, Session, Sessions
from local.issuer.tokens import AccessTokenHook, TokenMaker


@dataclass
class ProjectSettings:
    """Switches of a Supabase project, with its defaults except that e-mail needs no confirmation."""

    algorithm: Algorithm = "ES256"
    legacy_secret: str | None = None
    token_lifetime_s: int = 3600
    autoconfirm: bool = True
    disable_signup: bool = False
    anonymous_users: bool = False
    hook: AccessTokenHook | None = None


class Project:
    """State is written to `state_path` after each change, if given, and read from there at start."""

    def __init__(self, settings: ProjectSettings, state_path: Path | None = None) -> None:
        self.settings = settings
        self.accounts = Accounts()
        self.sessions = Sessions()
        self.one_time = OneTimeTokens()
        self.api_keys: dict[str, str] = {}
        keys = SigningKeys(settings.algorithm, settings.legacy_secret)
        self.tokens = TokenMaker(keys, settings.token_lifetime_s, settings.hook)
        self._state_path = state_path
        if state_path is not None and state_path.exists():
            self._load(json.loads(state_path.read_text()))

    @property
    def now(self) -> Callable[[], float]:
        """The clock, in Unix seconds; assign another to move time."""
        return self.tokens.now

    @now.setter
    def now(self, clock: Callable[[], float]) -> None:
        self.tokens.now = clock

    @property
    def keys(self) -> SigningKeys:
        return self.tokens.keys

    def create_account(self, fields: Json) -> Account:
        """What an administrator may set; `AuthError` for a taken address, a weak password, a bad id."""
        if not fields.get("email"):
            raise invalid("Cannot create a user without either an email or phone")
        password = fields.get("password")
        if password:
            password = passwords.check_strength(password)
        account = self.new_account(self.accounts.free_email(fields["email"]), password)
        if fields.get("id"):
            account.id = _uuid(fields["id"])
        account.user_metadata = {"email_verified": True} | account.user_metadata
        if fields.get("email_confirm"):
            account.email_confirmed_at = self.now()
        self.apply_admin_fields(account, fields)
        self.accounts.add(account)
        self.save()
        return account

    def new_account(self, email: str, password: object) -> Account:
        """A record that is in no list yet."""
        now = self.now()
        hashed = passwords.hash_password(password) if isinstance(password, str) and password else ""
        provider = {"provider": "email", "providers": ["email"]}
        return Account(str(uuid.uuid4()), email, hashed, now, now, provider)

    def apply_admin_fields(self, account: Account, fields: Json) -> None:
        """Metadata, role, phone and ban; members that are absent stay as they are."""
        if fields.get("app_metadata") is not None:
            account.app_metadata = merged(account.app_metadata, fields["app_metadata"], "app_metadata")
        if fields.get("user_metadata") is not None:
            account.user_metadata = merged(account.user_metadata, fields["user_metadata"], "user_metadata")
        if fields.get("ban_duration"):
            account.banned_until = ban_end(fields["ban_duration"], self.now())
        for name in ("role", "phone"):
            if isinstance(fields.get(name), str) and fields[name]:
                setattr(account, name, fields[name])
        account.updated_at = self.now()

    def update_account(self, account: Account, fields: Json) -> None:
        """The administrator's PUT."""
        if fields.get("email"):
            account.email = self.accounts.free_email(fields["email"], account)
        if fields.get("email_confirm"):
            account.email_confirmed_at = account.email_confirmed_at or self.now()
        if fields.get("password"):
            self.set_password(account, fields["password"])
        self.apply_admin_fields(account, fields)
        self.save()

    def set_password(self, account: Account, password: object, keep: Session | None = None) -> None:
        """Ends every session of the user but `keep`, as Supabase does."""
        account.password_hash = passwords.hash_password(passwords.check_strength(password))
        self.sessions.close_for(account.id, keep)

    def remove_account(self, account: Account, soft: bool) -> None:
        self.sessions.close_for(account.id)
        if soft:
            account.deleted_at = self.now()
            account.email, account.password_hash, account.user_metadata = f"deleted-{account.id}", "", {}
        else:
            self.accounts.remove(account)
        self.save()

    def check_password(self, email: object, password: object) -> Account:
        """The account that may sign in with these."""
        account = self.accounts.with_email(email) if isinstance(email, str) else None
        given = password if isinstance(password, str) else ""
        if account is None or not passwords.matches(given, account.password_hash):
            raise invalid_credentials()
        if account.is_banned(self.now()):
            raise banned()
        if account.email_confirmed_at is None:
            raise AuthError(400, "email_not_confirmed", "Email not confirmed")
        return account

    def sign_in(self, account: Account, method: str) -> Json:
        """A new session, as the Session object of the API."""
        account.last_sign_in_at = self.now()
        session = self.sessions.open(account.id, method, self.now())
        return self._grant(account, session, session.tokens[-1], method)

    def sign_in_once(self, fields: Json) -> Json:
        """Verify a one-time token; the account counts as confirmed by it."""
        email = fields.get("email")
        owner = self.accounts.with_email(email) if isinstance(email, str) else None
        user_id = self.one_time.spend(
            fields.get("type"), self.now(), fields.get("token_hash"), fields.get("token"), owner
        )
        account = self.accounts.get(user_id)
        if account.is_banned(self.now()):
            raise banned(403)
        account.email_confirmed_at = account.email_confirmed_at or self.now()
        return self.sign_in(account, "otp")

    def refresh(self, refresh_token: object) -> Json:
        if not isinstance(refresh_token, str) or not refresh_token:
            raise invalid("refresh_token required")
        session = self.sessions.of_token(refresh_token)
        account = self.accounts.get(session.user_id)
        if account.is_banned(self.now()):
            raise banned()
        try:
            token = self.sessions.rotate(session, refresh_token, self.now())
        finally:
            self.save()
        return self._grant(account, session, token, "token_refresh")

    def identify(self, access_token: str) -> tuple[Account, Session | None, Json]:
        """Whose token this is; `AuthError` 403 if forged, expired, signed out or of nobody."""
        claims = self.verify(access_token)
        if not claims.get("sub"):
            raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
        account = self.accounts.find(claims["sub"])
        if account is None or account.deleted_at is not None:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
        session = self.sessions.get(claims.get("session_id"))
        if claims.get("session_id") and session is None:
            message = "Session from session_id claim in JWT does not exist"
            raise AuthError(403, "session_not_found", message)
        if account.is_banned(self.now()):
            raise banned(403)
        return account, session, claims

    def verify(self, access_token: str) -> Json:
        try:
            return self.keys.verify(access_token, self.now())
        except (jwt.PyJWTError, ValueError) as error:
            raise bad_jwt(f"unable to parse or verify signature, {error}") from error

    def save(self) -> None:
        """Atomic: a reader sees the old or the new state; only its owner may read it."""
        if self._state_path is None:
            return
        state = {
            "api_keys": self.api_keys,
            "keys": self.keys.dump(),
            "accounts": [asdict(account) for account in self.accounts.all()],
            "sessions": [asdict(session) for session in self.sessions.all()],
        }
        self._state_path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state_path.with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file)
        draft.replace(self._state_path)

    def _grant(self, account: Account, session: Session, token: RefreshToken, method: str) -> Json:
        access_token, expires_at = self.tokens.for_session(account, session, method)
        self.save()
        return {
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": expires_at - int(self.now()),
            "expires_at": expires_at,
            "refresh_token": token.token,
            "user": account.view(),
        }

    def _load(self, state: Json) -> None:
        self.api_keys = state["api_keys"]
        self.tokens.keys = SigningKeys.load(state["keys"])
        for account in state["accounts"]:
            self.accounts.add(Account(**account))
        for session in state["sessions"]:
            tokens = [RefreshToken(**token) for token in session.pop("tokens")]
            self.sessions.add(Session(**session, tokens=tokens))


def _uuid(text: object) -> str:
    try:
        return str(uuid.UUID(str(text)))
    except ValueError:
        raise invalid("id must be a UUID") from None
