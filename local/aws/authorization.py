"""Who sends a request, proven by its signature in the header or in the query; nobody else gets in.

The order of checks is S3's: form first, then key, then time, then signature.
"""

import time
from calendar import timegm
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from local.aws import signatures
from local.aws.refusals import Refusal
from local.aws.requests import S3Request
from local.aws.signatures import ALGORITHM, Credentials, Scope

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
LONGEST_PRESIGNED_SECONDS: Final = 7 * 24 * 3600
_SKEW_SECONDS: Final = 15 * 60
_REQUIRED_IN_QUERY: Final = ("Credential", "Date", "Expires", "SignedHeaders", "Signature")
_AUTH_PARAMETERS: Final = frozenset(
    ("x-amz-algorithm", "x-amz-security-token", *(f"x-amz-{name.lower()}" for name in _REQUIRED_IN_QUERY))
)
_ONLY_ONE: Final = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
    "Signature query string parameter or the Authorization header should be specified"
)


@dataclass(frozen=True)
class Proof:
    """What a good signature says: `payload` is the body's hash or a keyword; the rest seeds chunk signatures."""

    payload: str
    signing_key: bytes
    signature: str
    stamp: str
    scope: Scope


@dataclass(frozen=True)
class _Claim:
    scope: Scope
    stamp: str
    signed: list[str]
    signature: str
    payload: str
    query: list[tuple[str, str]]


class Authorizer:
    """Checks requests against one pair of keys and one region."""

    def __init__(self, credentials: Credentials, region: str) -> None:
        self.credentials = credentials
        self.region = region

    def authorize(self, request: S3Request, now: float) -> Proof:
        """Raises Refusal unless the request is signed, in time, and exactly as signed."""
        in_header = "authorization" in request.headers
        in_query = "X-Amz-Algorithm" in request.params or "X-Amz-Signature" in request.params
        if in_header and (in_query or "Signature" in request.params):
            raise Refusal("InvalidArgument", _ONLY_ONE)
        if in_header:
            return self._verified(request, self._claim_of_header(request, now))
        if in_query:
            return self._verified(request, self._claim_of_query(request, now))
        if "Signature" in request.params and "AWSAccessKeyId" in request.params:
            raise _outdated()
        raise Refusal("AccessDenied", "Access Denied")

    def check_scope(self, scope: Scope, stamp: str, token: str, malformed: str) -> None:
        """The checks shared with POST policies; `malformed` is the code for a wrong scope."""
        if scope.access_key != self.credentials.access_key:
            raise Refusal(
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
                AWSAccessKeyId=scope.access_key,
            )
        if token != self.credentials.session_token:
            raise Refusal("InvalidToken", "The provided token is malformed or otherwise invalid.")
        if scope.service != "s3":
            raise Refusal(malformed, f'incorrect service "{scope.service}". This endpoint belongs to "s3".')
        if scope.region != self.region:
            wrong = f"the region '{scope.region}' is wrong; expecting '{self.region}'"
            raise Refusal(malformed, f"Error parsing the credential; {wrong}", Region=self.region)
        if scope.date != stamp[:8]:
            raise Refusal(malformed, f'Invalid credential date "{scope.date}". Expected "{stamp[:8]}".')

    def _claim_of_header(self, request: S3Request, now: float) -> _Claim:
        malformed = "AuthorizationHeaderMalformed"
        kind, _, rest = request.headers["authorization"].partition(" ")
        if kind != ALGORITHM:
            raise _outdated()
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        scope = Scope.parse(fields.get("Credential", ""))
        if scope is None or not fields.get("SignedHeaders") or not fields.get("Signature"):
            raise Refusal(malformed, "The authorization header is malformed.")
        stamp = request.headers.get("x-amz-date", "")
        sent_at = _time_of(stamp)
        if sent_at is None:
            raise Refusal("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
        self.check_scope(scope, stamp, request.headers.get("x-amz-security-token", ""), malformed)
        if abs(now - sent_at) > _SKEW_SECONDS:
            raise _skewed(stamp, now)
        payload = request.headers.get("x-amz-content-sha256")
        if payload is None:
            raise Refusal("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        signed = fields["SignedHeaders"].split(";")
        return _Claim(scope, stamp, signed, fields["Signature"], payload, request.query)

    def _claim_of_query(self, request: S3Request, now: float) -> _Claim:
        malformed = "AuthorizationQueryParametersError"
        params = request.params
        if params.get("X-Amz-Algorithm") != ALGORITHM:
            raise Refusal(malformed, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
        if any(not params.get(f"X-Amz-{name}") for name in _REQUIRED_IN_QUERY):
            raise Refusal(
                malformed,
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        scope, stamp = Scope.parse(params["X-Amz-Credential"]), params["X-Amz-Date"]
        if scope is None:
            raise Refusal(malformed, "Error parsing the X-Amz-Credential parameter.")
        _check_period(stamp, params["X-Amz-Expires"], now)
        self.check_scope(scope, stamp, params.get("X-Amz-Security-Token", ""), malformed)
        signed = params["X-Amz-SignedHeaders"].split(";")
        payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
        return _Claim(scope, stamp, signed, params["X-Amz-Signature"], payload, request.query)

    def _verified(self, request: S3Request, claim: _Claim) -> Proof:
        _check_all_signed(request, claim.signed)
        canonical = signatures.canonical_request(
            request.method,
            request.canonical_path,
            signatures.canonical_query(claim.query),
            request.headers,
            claim.signed,
            claim.payload,
        )
        text = signatures.string_to_sign(canonical, claim.stamp, claim.scope)
        key = claim.scope.signing_key(self.credentials.secret_key)
        if not signatures.is_same(signatures.signature(key, text), claim.signature):
            raise mismatch(claim.scope.access_key, text, claim.signature, canonical)
        return Proof(claim.payload, key, claim.signature, claim.stamp, claim.scope)


def hoisted_headers(request: S3Request) -> Iterable[tuple[str, str]]:
    """`x-amz-*` query parameters of a presigned URL which count as headers (the JS presigner moves them)."""
    for name, value in request.query:
        lower = name.lower()
        if lower.startswith("x-amz-") and lower not in _AUTH_PARAMETERS:
            yield lower, value


def is_auth_parameter(name: str) -> bool:
    """Whether a query parameter is only there for the signature."""
    return name.lower() in _AUTH_PARAMETERS


def mismatch(access_key: str, text: str, provided: str, canonical: str = "") -> Refusal:
    return Refusal(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        AWSAccessKeyId=access_key,
        StringToSign=text,
        SignatureProvided=provided,
        **({"CanonicalRequest": canonical} if canonical else {}),
    )


def iso_time(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _check_period(stamp: str, expires: str, now: float) -> None:
    malformed = "AuthorizationQueryParametersError"
    signed_at = _time_of(stamp)
    if signed_at is None:
        raise Refusal(malformed, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if not expires.isdecimal():
        raise Refusal(malformed, "X-Amz-Expires should be a number")
    if not 1 <= int(expires) <= LONGEST_PRESIGNED_SECONDS:
        raise Refusal(malformed, "X-Amz-Expires must be less than a week (in seconds) that is, less than 604800")
    if now < signed_at - _SKEW_SECONDS:
        raise Refusal("AccessDenied", "Request is not yet valid", ServerTime=iso_time(now))
    if now > signed_at + int(expires):
        raise Refusal(
            "AccessDenied",
            "Request has expired",
            **{"X-Amz-Expires": expires, "Expires": iso_time(signed_at + int(expires))},
            ServerTime=iso_time(now),
        )


def _check_all_signed(request: S3Request, signed: list[str]) -> None:
    required = {name.lower() for name in request.headers if name.lower().startswith("x-amz-")}
    if "authorization" not in request.headers:
        required.discard("x-amz-content-sha256")
    missing = sorted(({"host"} | required) - set(signed))
    if missing:
        raise Refusal(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(missing),
        )


def _time_of(stamp: str) -> int | None:
    try:
        return timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None


def _skewed(stamp: str, now: float) -> Refusal:
    return Refusal(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        RequestTime=stamp,
        ServerTime=iso_time(now),
        MaxAllowedSkewMilliseconds=str(_SKEW_SECONDS * 1000),
    )


def _outdated() -> Refusal:
    return Refusal(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
