"""Conditions on what is stored; moto looks at some of them, and combines them in its own way.

Source: the members `If…` and `CopySourceIf…` of GetObject, PutObject and CopyObject in the Amazon S3 API reference.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote

from multidict import CIMultiDict

from local.aws.refusals import Refusal
from local.aws.requests import S3Request
from local.aws.upstream import Answer

_COPY: Final = "x-amz-copy-source"
_NAMES: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def is_conditional(request: S3Request) -> bool:
    """Whether one must look at an object before it is read or replaced."""
    return bool(request.reads_object or request.creates) and any(name in request.headers for name in _NAMES)


def check_target(request: S3Request, target: Answer) -> None:
    """Whether a write may replace what is there, or the nothing that is there."""
    wanted = _taken(request, "")
    if "if-none-match" in wanted and target.ok:
        raise _failed("", "if-none-match")
    if "if-match" in wanted and not target.ok:
        raise Refusal("NoSuchKey", "The specified key does not exist.", Key=request.key)
    if "if-match" in wanted and not _names(wanted["if-match"], target):
        raise _failed("", "if-match")


def is_known(request: S3Request, stored: Answer) -> bool:
    """Whether a reader has it already."""
    wanted = _taken(request, "")
    return stored.ok and _decide(stored, wanted, "") is not None


def check_source(request: S3Request, source: Answer) -> None:
    """Whether what is to be copied is what the client saw."""
    wanted = _taken(request, f"{_COPY}-")
    known = _decide(source, wanted, f"{_COPY}-") if source.ok else None
    if known:
        raise _failed(f"{_COPY}-", known)


def copy_source(request: S3Request) -> tuple[str, str]:
    """Bucket and key; the header may or may not begin with a slash."""
    header = request.headers[_COPY]
    bucket, _, key = unquote(header.partition("?versionId=")[0]).removeprefix("/").partition("/")
    if not bucket or not key:
        raise Refusal(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName=_COPY,
            ArgumentValue=header,
        )
    return bucket, key


def not_modified(stored: Answer) -> Answer:
    kept = ("etag", "last-modified", "cache-control")
    return Answer(304, CIMultiDict((name, stored.headers[name]) for name in kept if name in stored.headers))


def _taken(request: S3Request, prefix: str) -> dict[str, str]:
    """The conditions, which moto then does not see."""
    found = {name: request.headers.pop(f"{prefix}{name}", None) for name in _NAMES}
    return {name: value for name, value in found.items() if value is not None}


def _decide(stored: Answer, wanted: dict[str, str], prefix: str) -> str | None:
    """The condition by which the client has the object already, or none; an ETag makes the date beside it void."""
    modified = parsedate_to_datetime(stored.headers["last-modified"])
    if "if-match" in wanted:
        if not _names(wanted["if-match"], stored):
            raise _failed(prefix, "if-match")
    elif "if-unmodified-since" in wanted and modified > _moment(wanted["if-unmodified-since"]):
        raise _failed(prefix, "if-unmodified-since")
    if "if-none-match" in wanted:
        return "if-none-match" if _names(wanted["if-none-match"], stored) else None
    if "if-modified-since" in wanted:
        # S3 takes a date in the future for a mistake and ignores it.
        return "if-modified-since" if modified <= _moment(wanted["if-modified-since"]) <= datetime.now(UTC) else None
    return None


def _failed(prefix: str, name: str) -> Refusal:
    return Refusal(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        Condition=f"{prefix}{name}" if prefix else name.title(),
    )


def _names(condition: str, stored: Answer) -> bool:
    etag = stored.headers["etag"].strip('"')
    return condition.strip() == "*" or etag in (part.strip().strip('"') for part in condition.split(","))


def _moment(date: str) -> datetime:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        raise Refusal("InvalidArgument", "The date in a condition is not valid.") from None
