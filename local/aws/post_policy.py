"""A browser upload's policy: what the signer allows a form to say.

Source: "Creating a POST Policy" in the Amazon S3 API reference. Every field must be covered by a condition.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from local.aws.bodies import too_large
from local.aws.refusals import Refusal

_UNCOVERED: Final = frozenset(("file", "policy", "x-amz-signature"))


@dataclass(frozen=True)
class PostPolicy:
    """`conditions` as (operator, field in lower case, value); `sizes` in bytes or None."""

    expires_at: float
    conditions: list[tuple[str, str, str]]
    sizes: tuple[int, int] | None

    @classmethod
    def parse(cls, encoded: str) -> "PostPolicy":
        """Of the form field, base64 of JSON."""
        try:
            document = json.loads(base64.b64decode(encoded, validate=True))
            expires = datetime.fromisoformat(document["expiration"].replace("Z", "+00:00"))
            listed = document["conditions"]
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            raise _invalid("Invalid Policy: Invalid JSON.") from None
        if not isinstance(listed, list):
            raise _invalid("Invalid Policy: Invalid 'conditions' value: must be a List.")
        conditions = [found for condition in listed for found in _parsed(condition)]
        sizes = [_range(c) for c in listed if isinstance(c, list) and c and c[0] == "content-length-range"]
        aware = expires if expires.tzinfo else expires.replace(tzinfo=UTC)
        return cls(aware.timestamp(), conditions, sizes[-1] if sizes else None)

    def check(self, fields: Mapping[str, str], bucket: str, now: float) -> None:
        """`fields` by lower-case name, variables expanded; raises Refusal AccessDenied."""
        if now >= self.expires_at:
            raise _denied("Policy expired.")
        actual = {**fields, "bucket": bucket}
        for operator, name, value in self.conditions:
            found = actual.get(name, "")
            if not (found == value if operator == "eq" else found.startswith(value)):
                condition = json.dumps([operator, f"${name}", value])
                raise _denied(f"Policy Condition failed: {condition}")
        covered = {name for _, name, _ in self.conditions} | _UNCOVERED
        extra = sorted(name for name in fields if name not in covered and not name.startswith("x-ignore-"))
        if extra:
            raise _denied(f"Extra input fields: {', '.join(extra)}")

    def check_size(self, size: int) -> None:
        """Refuses bytes outside `content-length-range`."""
        if self.sizes is None:
            return
        smallest, largest = self.sizes
        if size > largest:
            raise too_large(size, largest)
        if size < smallest:
            raise Refusal(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=str(size),
                MinSizeAllowed=str(smallest),
            )


def _parsed(condition: Any) -> list[tuple[str, str, str]]:
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid(
                "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
            )
        return [("eq", str(name).lower(), str(value)) for name, value in condition.items()]
    if not isinstance(condition, list) or len(condition) != 3:
        raise _invalid("Invalid Policy: Invalid condition.")
    operator = str(condition[0]).lower()
    if operator == "content-length-range":
        return []
    if operator not in ("eq", "starts-with") or not str(condition[1]).startswith("$"):
        raise _invalid(f"Invalid Policy: Invalid condition {json.dumps(condition)}")
    return [(operator, str(condition[1])[1:].lower(), str(condition[2]))]


def _range(condition: list[Any]) -> tuple[int, int]:
    try:
        return int(condition[1]), int(condition[2])
    except (ValueError, TypeError, IndexError):
        raise _invalid("Invalid Policy: Invalid content-length-range.") from None


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidPolicyDocument", message)


def _denied(reason: str) -> Refusal:
    return Refusal("AccessDenied", f"Invalid according to Policy: {reason}")
