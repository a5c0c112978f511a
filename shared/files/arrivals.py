"""S3's object events: which file each is about, and all that follows. Apart from `filing`: it brings the parsers."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from shared.files.filing import Filing
from shared.files.model import is_id
from shared.files.parse import Parser
from shared.files.parsing import sandbox
from shared.files.places import AGAIN, QUARANTINE
from shared.tenant.scope import TenantScope


class Arrivals:
    """The work of the parse function."""

    def __init__(self, filing: Filing) -> None:
        self._intake = filing.intake
        self._parser = Parser(filing.store, filing.bucket, sandbox.parse)

    def arrived(self, scope: TenantScope, file_id: str, cause: str = "") -> None:
        """An object of the file is there (or was, or will be: events come twice and late).

        `cause` is the invocation's request id, which stays the same when Lambda tries again for a function that died;
        S3's own duplicates have others.
        """
        if self._intake.arrived(scope, file_id) is not None:
            self._parser.parse(scope, file_id, cause)


def arrivals_in(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tenant and file of each record about an upload; S3's own test event has none."""
    for record in event.get("Records", ()):
        parts = unquote_plus(record["s3"]["object"]["key"]).split("/")
        if len(parts) in (3, 4) and parts[0] == QUARANTINE and parts[3:] in ([], [AGAIN]) and is_id(parts[2]):
            yield parts[1], parts[2]
