"""`If-Match` and `If-None-Match` (RFC 9110 §13), for resources whose strong ETag is their version."""

from collections.abc import Callable


def matches(if_match: str | None) -> Callable[[str], bool] | None:
    """Whether an ETag fulfils the header (strong comparison); None without a header."""
    if if_match is None:
        return None
    tags = _tags(if_match)
    return lambda etag: "*" in tags or etag in tags or etag.strip('"') in tags


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this very version already (weak comparison), so that 304 will do."""
    if if_none_match is None:
        return False
    tags = {tag.removeprefix("W/") for tag in _tags(if_none_match)}
    return "*" in tags or etag in tags or etag.strip('"') in tags


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
