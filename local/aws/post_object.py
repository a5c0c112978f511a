"""Browser form uploads, turned into the PUT that they stand for, because moto loses half of their fields."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiohttp import BodyPartReader, web
from multidict import CIMultiDict

from local.aws import signatures
from local.aws.authorization import Authorizer, mismatch
from local.aws.bodies import Body
from local.aws.post_policy import PostPolicy
from local.aws.refusals import Refusal
from local.aws.requests import S3Request
from local.aws.signatures import ALGORITHM, Scope
from local.aws.upstream import Answer

_KEPT: Final = ("cache-control", "content-type", "content-disposition", "content-encoding", "expires")
_KEPT_PREFIXES: Final = (
    "x-amz-meta-",
    "x-amz-checksum-",
    "x-amz-storage-class",
    "x-amz-server-side-",
    "x-amz-website-",
)
_LONGEST_FORM: Final = 20 * 1024
_REQUIRED: Final = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")


@dataclass
class PostedForm:
    """`fields` by lower-case name, without the file; what follows the file is ignored, as in S3."""

    fields: dict[str, str]
    body: Body

    @classmethod
    async def read(cls, incoming: web.BaseRequest, body: Body) -> "PostedForm":
        """The file goes to `body`."""
        fields: dict[str, str] = {}
        try:
            reader = await incoming.multipart()
            while (part := await reader.next()) is not None:
                if not isinstance(part, BodyPartReader) or part.name is None:
                    continue
                if part.name.lower() == "file":
                    await _receive(part, body)
                    return cls(_expanded(fields, part.filename or ""), body)
                fields[part.name.lower()] = await _text(part, fields)
        except ValueError:
            raise Refusal(
                "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
            ) from None
        raise Refusal("InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file")

    def check(self, bucket: str, authorizer: Authorizer, now: float) -> None:
        """Signature first, then the policy: its time, its conditions, its sizes."""
        if "key" not in self.fields:
            raise Refusal("InvalidArgument", "Bucket POST must contain a field named 'key'.", ArgumentName="key")
        if "policy" not in self.fields:
            raise Refusal("AccessDenied", "Access Denied")
        self._check_signature(authorizer)
        policy = PostPolicy.parse(self.fields["policy"])
        policy.check(self.fields, bucket, now)
        policy.check_size(self.body.size)

    def as_put(self, posted: S3Request) -> S3Request:
        """The same upload as a PUT of the key in the form."""
        headers = CIMultiDict(
            (name, value) for name, value in self.fields.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)
        )
        if "acl" in self.fields:
            headers["x-amz-acl"] = self.fields["acl"]
        if "tagging" in self.fields:
            headers["x-amz-tagging"] = _tags(self.fields["tagging"])
        key = self.fields["key"]
        path = quote(f"/{posted.bucket}/{key}", safe="/-_.~")
        return replace(posted, method="PUT", raw_path=path, query=[], headers=headers, key=key, params={})

    def _check_signature(self, authorizer: Authorizer) -> None:
        fields = self.fields
        missing = [name for name in _REQUIRED if not fields.get(name)]
        scope = Scope.parse(fields.get("x-amz-credential", ""))
        if missing or scope is None or fields["x-amz-algorithm"] != ALGORITHM:
            name = missing[0] if missing else "x-amz-credential"
            raise Refusal("InvalidArgument", f"Bucket POST must contain a field named '{name}'.", ArgumentName=name)
        token = fields.get("x-amz-security-token", "")
        authorizer.check_scope(scope, fields["x-amz-date"], token, "AuthorizationQueryParametersError")
        key = scope.signing_key(authorizer.credentials.secret_key)
        expected = signatures.signature(key, fields["policy"])
        if not signatures.is_same(expected, fields["x-amz-signature"]):
            raise mismatch(scope.access_key, fields["policy"], fields["x-amz-signature"])


def post_answer(form: PostedForm, put: S3Request, stored: Answer, origin: str) -> Answer:
    """What the form asked to be told: a redirect, a document or nothing."""
    etag = stored.headers.get("etag", "")
    location = f"{origin}/{quote(put.bucket)}/{quote(put.key, safe='/-_.~')}"
    headers = CIMultiDict({"etag": etag, "location": location})
    for name, value in stored.headers.items():
        if name.lower().startswith("x-amz-checksum-"):
            headers[name] = value
    target = form.fields.get("success_action_redirect") or form.fields.get("redirect")
    if target:
        query = urlencode({"bucket": put.bucket, "key": put.key, "etag": etag})
        headers["location"] = f"{target}{'&' if '?' in target else '?'}{query}"
        return Answer(303, headers)
    status = {"200": 200, "201": 201}.get(form.fields.get("success_action_status", ""), 204)
    if status != 201:
        return Answer(status, headers)
    headers["content-type"] = "application/xml"
    return Answer(201, headers, _post_response(location, put, etag))


def _post_response(location: str, put: S3Request, etag: str) -> bytes:
    elements = {"Location": location, "Bucket": put.bucket, "Key": put.key, "ETag": etag}
    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{body}</PostResponse>'.encode()


def _expanded(fields: dict[str, str], filename: str) -> dict[str, str]:
    name = filename.replace("\\", "/").rpartition("/")[2]
    return {field: value.replace("${filename}", name) for field, value in fields.items()}


async def _text(part: BodyPartReader, fields: dict[str, str]) -> str:
    text = bytes(await part.read())
    if sum(len(value) for value in fields.values()) + len(text) > _LONGEST_FORM:
        raise Refusal("MalformedPOSTRequest", "Your POST request fields preceding the upload file were too large.")
    return text.decode()


async def _receive(part: BodyPartReader, body: Body) -> None:
    while chunk := await part.read_chunk(1024 * 1024):
        body.write(bytes(chunk))


def _tags(document: str) -> str:
    try:
        root = ElementTree.fromstring(document)  # noqa: S314
    except ElementTree.ParseError:
        raise Refusal("MalformedXML", "The XML you provided was not well-formed.") from None
    pairs = []
    for tag in root.iter():
        if tag.tag.rpartition("}")[2] == "Tag":
            values = {child.tag.rpartition("}")[2]: child.text or "" for child in tag}
            pairs.append((values.get("Key", ""), values.get("Value", "")))
    return urlencode(pairs)
