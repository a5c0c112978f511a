"""CORS as the bucket's own configuration says, answered by the gate alone.

Source: "Using cross-origin resource sharing (CORS)" in the Amazon S3 user guide.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from xml.etree import ElementTree

from multidict import CIMultiDict

from local.aws.refusals import Refusal
from local.aws.upstream import Upstream

_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


@dataclass(frozen=True)
class CorsRule:
    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age: str | None

    def origin_for(self, origin: str) -> str | None:
        """What `access-control-allow-origin` says to it; None when the rule is not for it."""
        if not any(_matches(pattern, origin) for pattern in self.origins):
            return None
        return "*" if "*" in self.origins else origin

    def allows_headers(self, names: Iterable[str]) -> bool:
        patterns = [pattern.lower() for pattern in self.headers]
        return all(any(_matches(pattern, name) for pattern in patterns) for name in names)


async def rules_of(bucket: str, upstream: Upstream) -> list[CorsRule]:
    """The bucket's rules in their order; none without a configuration or bucket."""
    document = await upstream.bucket_document(bucket, "cors") if bucket else None
    return [] if document is None else [_rule(element) for element in document if _name(element) == "CORSRule"]


def preflight(rules: list[CorsRule], method: str, headers: CIMultiDict[str], resource: str) -> CIMultiDict[str]:
    """The headers of the 200; Refusal 403 when no rule allows what the browser asks for."""
    origin, wanted = headers.get("origin"), headers.get("access-control-request-method")
    if not origin:
        raise Refusal("BadRequest", "Insufficient information. Origin request header needed.")
    asked = [name.strip().lower() for name in headers.get("access-control-request-headers", "").split(",")]
    names = [name for name in asked if name]
    for rule in rules:
        if wanted in rule.methods and rule.origin_for(origin) and rule.allows_headers(names):
            return _granted(rule, origin, names)
    reason = "This CORS request is not allowed." if rules else "CORS is not enabled for this bucket."
    raise Refusal(
        "AccessForbidden",
        f"CORSResponse: {reason}",
        Method=wanted or method,
        ResourceType="OBJECT" if resource.count("/") > 1 else "BUCKET",
    )


def decoration(rules: list[CorsRule], method: str, origin: str) -> CIMultiDict[str]:
    """The CORS headers of an answer to a real request; none when no rule is for it."""
    for rule in rules:
        if method in rule.methods and rule.origin_for(origin):
            return _granted(rule, origin, [])
    return CIMultiDict()


def _granted(rule: CorsRule, origin: str, names: list[str]) -> CIMultiDict[str]:
    allowed = rule.origin_for(origin) or ""
    headers = CIMultiDict({"access-control-allow-origin": allowed})
    headers["access-control-allow-methods"] = ", ".join(rule.methods)
    if names:
        headers["access-control-allow-headers"] = ", ".join(names)
    if rule.exposed:
        headers["access-control-expose-headers"] = ", ".join(rule.exposed)
    if rule.max_age is not None:
        headers["access-control-max-age"] = rule.max_age
    if allowed != "*":
        headers["access-control-allow-credentials"] = "true"
    headers["vary"] = _VARY
    return headers


def _rule(element: ElementTree.Element) -> CorsRule:
    found: dict[str, list[str]] = {}
    for child in element:
        found.setdefault(_name(child), []).append((child.text or "").strip())
    return CorsRule(
        origins=tuple(found.get("AllowedOrigin", ())),
        methods=tuple(found.get("AllowedMethod", ())),
        headers=tuple(found.get("AllowedHeader", ())),
        exposed=tuple(found.get("ExposeHeader", ())),
        max_age=next(iter(found.get("MaxAgeSeconds", ())), None),
    )


def _matches(pattern: str, value: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]").replace("?", "[?]"))


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
