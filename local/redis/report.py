"""`INFO` without what the gateway itself has Valkey do, so that users can count what they had it do."""

import re
from collections.abc import Sequence

_COUNTS = b"commandstats"
_WITH_COUNTS = {_COUNTS, b"all", b"everything"}
# None of these do users get through to Valkey.
_OURS = re.compile(rb"^cmdstat_(?:acl|auth|command|exec|multi)(?:\|[^:]*)?:calls=(\d+).*\r\n", re.MULTILINE)
_TOTAL = re.compile(rb"(?<=total_commands_processed:)\d+")
_SECTION = re.compile(rb"# Commandstats\r\n(?:.+\r\n)*(?:\r\n)?")


def with_counts(sections: Sequence[bytes]) -> list[bytes]:
    """The sections to ask Valkey for."""
    return [*(sections or (b"default",)), _COUNTS]


def without_ours(report: bytes, sections: Sequence[bytes]) -> bytes:
    """The sections that were asked for, of a report that has the counts as well."""
    ours = sum(map(int, _OURS.findall(report)))
    told = _TOTAL.sub(lambda total: b"%d" % (int(total[0]) - ours), _OURS.sub(b"", report))
    return told if _WITH_COUNTS & {section.lower() for section in sections} else _SECTION.sub(b"", told)
