"""The only maker of a tenant's keys: what has no scope has no spelling for anybody's data."""

import re
from typing import Final

from shared.state.keys import SEAL, Key

_TENANT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _ScopeSeal:
    """Held by the auth layer, which alone may open a scope."""


SCOPE_SEAL: Final = _ScopeSeal()


def is_tenant_id(text: object) -> bool:
    """Whether `text` can name a tenant."""
    return isinstance(text, str) and _TENANT.fullmatch(text) is not None


class TenantScope:
    """One tenant's key space in Redis and S3.

    Opened by `shared.auth` from a verified credential, a socket's record or a queue message that we wrote.
    """

    __slots__ = ("_tenant",)

    def __init__(self, tenant: str, seal: _ScopeSeal) -> None:
        if seal is not SCOPE_SEAL:
            raise TypeError("a scope is opened by shared.auth")
        if not is_tenant_id(tenant):
            raise ValueError(f"not a tenant id: {tenant!r}")
        self._tenant = tenant

    def key(self, kind: str, *parts: str) -> Key:
        """The Redis key `{t:<tenant>}:<kind>:<part>…`; distinct arguments give distinct keys."""
        return Key(":".join((f"{{t:{self._tenant}}}", kind, *map(_escaped, parts))), SEAL)

    def object_key(self, prefix: str, *parts: str) -> str:
        """The S3 key `<prefix>/<tenant>/<part>…`; parts are ids of ours, never user text."""
        if not all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) for part in (prefix, *parts)):
            raise ValueError("object keys are made of ids")
        return "/".join((prefix, self._tenant, *parts))

    @property
    def label(self) -> str:
        """The tenant's id for records, logs, signatures and messages; not for keys."""
        return self._tenant

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantScope) and other._tenant == self._tenant

    def __hash__(self) -> int:
        return hash(self._tenant)

    def __repr__(self) -> str:
        return f"TenantScope({self._tenant!r})"


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")
