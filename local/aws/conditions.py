"""Conditions on requests that moto does not look at."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote

from local.aws.refusals import Refusal
from local.aws.requests import S3Request
from local.aws.upstream import Answer

_COPY: Final = "x-amz-copy-source"


def check_supported(request: S3Request) -> None:
    """S3 writes conditionally with `If-None-Match: *` and `If-Match: <etag>`, and not everywhere."""
    none_match = request.headers.get("if-none-match")
    if none_match is None or request.method not in ("PUT", "POST"):
        return
    conditional = request.creates in ("Put", "CompleteMultipartUpload")
    if not conditional or none_match.strip() != "*":
        raise Refusal(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="If-None-Match",
            additionalMessage="We don't accept the provided value of If-None-Match header for this API",
        )


def check_post(request: S3Request) -> None:
    """What is posted to a bucket is a form, or a list of objects to delete."""
    if request.method == "POST" and not request.key and "delete" not in request.params:
        raise Refusal(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )


def check_length(request: S3Request) -> None:
    """Bytes of objects come with their length said in advance."""
    if request.method != "PUT" or not request.key:
        return
    if "transfer-encoding" in request.headers:
        raise Refusal(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="Transfer-Encoding",
        )
    if "content-length" not in request.headers:
        raise Refusal("MissingContentLength", "You must provide the Content-Length HTTP header.")


def check_copy_source(request: S3Request, source: Answer) -> None:
    """Decides `x-amz-copy-source-if-*`, and takes them from the request: moto would accept anything."""
    names = [name for name in request.headers if name.lower().startswith(f"{_COPY}-if-")]
    wanted = {name.lower().removeprefix(f"{_COPY}-"): request.headers.pop(name) for name in names}
    if source.ok:
        _check(source, wanted)


def copy_source(request: S3Request) -> tuple[str, str]:
    """Bucket and key; the header may or may not begin with a slash."""
    header = request.headers[_COPY].partition("?versionId=")[0]
    bucket, _, key = unquote(header).removeprefix("/").partition("/")
    return bucket, key


def _check(source: Answer, wanted: dict[str, str]) -> None:
    """As S3 combines them: a match of the ETag makes the unmodified-since condition void."""
    etag = source.headers["etag"].strip('"')
    modified = parsedate_to_datetime(source.headers["last-modified"])
    if "if-match" in wanted:
        _require(_names(wanted["if-match"], etag), "if-match")
    elif "if-unmodified-since" in wanted:
        _require(modified <= _moment(wanted["if-unmodified-since"]), "if-unmodified-since")
    if "if-none-match" in wanted:
        _require(not _names(wanted["if-none-match"], etag), "if-none-match")
    elif "if-modified-since" in wanted:
        since = _moment(wanted["if-modified-since"])
        # S3 takes a date in the future for a mistake and ignores it.
        _require(modified > since or since > datetime.now(UTC), "if-modified-since")


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise Refusal(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            Condition=f"{_COPY}-{condition}",
        )


def _names(condition: str, etag: str) -> bool:
    return condition.strip() == "*" or etag in (part.strip().strip('"') for part in condition.split(","))


def _moment(date: str) -> datetime:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        raise Refusal("InvalidArgument", "The date in a copy condition is not valid.") from None
