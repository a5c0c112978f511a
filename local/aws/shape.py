"""What S3 takes from nobody, whatever is stored: methods, lengths, values of headers and parameters."""

from typing import Final

from local.aws.refusals import Refusal
from local.aws.requests import S3Request

_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
_OVERRIDES: Final = "response-"


def check_post(request: S3Request) -> None:
    """What is posted to a bucket is a form, or a list of objects to delete."""
    if request.method == "POST" and not request.key and "delete" not in request.params:
        raise Refusal(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )


def check(request: S3Request) -> None:
    """Of a request that is signed well."""
    _check_method(request)
    _check_length(request)
    _check_conditional_write(request)
    _check_reading(request)


def _check_method(request: S3Request) -> None:
    posted_alone = request.method == "POST" and request.is_about_object
    if request.method not in _METHODS or posted_alone:
        raise Refusal(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            Method=request.method,
            ResourceType="OBJECT" if request.key else "BUCKET",
        )


def _check_length(request: S3Request) -> None:
    """Bytes of objects come with their length said in advance."""
    if request.method != "PUT" or not request.key:
        return
    if "transfer-encoding" in request.headers:
        raise _not_implemented("Transfer-Encoding")
    if "content-length" not in request.headers:
        raise Refusal("MissingContentLength", "You must provide the Content-Length HTTP header.")


def _check_conditional_write(request: S3Request) -> None:
    """`If-None-Match` takes a star, and only where an object comes to be."""
    none_match = request.headers.get("if-none-match")
    if none_match is None or request.method not in ("PUT", "POST"):
        return
    if not request.creates or none_match.strip() != "*":
        more = "We don't accept the provided value of If-None-Match header for this API"
        raise _not_implemented("If-None-Match", additionalMessage=more)


def _check_reading(request: S3Request) -> None:
    if not request.reads_object:
        return
    if "partNumber" in request.params:
        raise Refusal("NotImplemented", "The local S3 does not read objects by their parts.")
    for name, value in request.query:
        if name.startswith(_OVERRIDES) and not _is_header_text(value):
            raise Refusal(
                "InvalidArgument",
                "Header value cannot be represented using ISO-8859-1.",
                ArgumentName=name,
                ArgumentValue=value,
            )


def _is_header_text(value: str) -> bool:
    return all(" " <= character <= "\xff" and character != "\x7f" for character in value)


def _not_implemented(header: str, **more: str) -> Refusal:
    text = "A header you provided implies functionality that is not implemented"
    return Refusal("NotImplemented", text, Header=header, **more)
