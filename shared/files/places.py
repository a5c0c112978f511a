"""Where a file's objects are in the bucket; keys are made of ids and never of user text."""

from shared.files.model import File
from shared.tenant.scope import TenantScope

QUARANTINE = "quarantine"
AGAIN = "again"


def upload_key(scope: TenantScope, file_id: str) -> str:
    """Where clients upload to; objects under this prefix, and only these, call `parse`."""
    return scope.object_key(QUARANTINE, file_id)


def again_key(scope: TenantScope, file_id: str) -> str:
    """An empty object; writing it has `parse` look at the file again."""
    return scope.object_key(QUARANTINE, file_id, AGAIN)


def clean_key(scope: TenantScope, file_id: str) -> str:
    """What readers get: a copy that no upload URL can reach."""
    return scope.object_key("files", file_id)


def parsed_key(scope: TenantScope, file: File) -> str:
    """The parsed result of this upload."""
    return scope.object_key("parsed", file.id, f"{file.etag}.json")
