"""Cursors that a client cannot forge, nor use in another tenant or with another filter."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from shared.errors import Invalid
from shared.settings import Settings
from shared.tenant.scope import TenantScope

_MAC_BYTES: Final = 16


class Cursors:
    """Signs and reads list positions; a position is text that only the store understands."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"traffic-cop cursors:" + secret.encode()).digest()

    @classmethod
    def from_settings(cls, settings: Settings) -> "Cursors":
        """Without a secret of its own it uses the store's token, which every environment knows."""
        return cls(settings.cursor_secret or settings.upstash_redis_rest_token)

    def signed(self, scope: TenantScope, filters: Mapping[str, Any], position: str) -> str:
        mac = self._mac(scope, filters, position.encode())
        return base64.urlsafe_b64encode(mac + position.encode()).rstrip(b"=").decode()

    def position(self, scope: TenantScope, filters: Mapping[str, Any], cursor: str | None) -> str:
        """The position that a cursor stands for, "" for none; raises Invalid for a cursor that is not ours."""
        if not cursor:
            return ""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            mac, position = raw[:_MAC_BYTES], raw[_MAC_BYTES:].decode()
        except ValueError as error:
            raise _foreign() from error
        if not hmac.compare_digest(mac, self._mac(scope, filters, position.encode())):
            raise _foreign()
        return position

    def _mac(self, scope: TenantScope, filters: Mapping[str, Any], position: bytes) -> bytes:
        bound = json.dumps([scope.label, sorted(filters.items())]).encode()
        return hmac.digest(self._key, bound + b"\n" + position, "sha256")[:_MAC_BYTES]


def _foreign() -> Invalid:
    return Invalid(
        "the cursor does not belong to this list", [{"detail": "not a cursor of this list", "parameter": "cursor"}]
    )
