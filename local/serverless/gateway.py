"""What serverless.yml says of API Gateway itself: CORS and throttles."""

from collections.abc import Iterable
from typing import Any

from local.serverless.errors import ServerlessError
from local.serverless.events import as_int, checked
from local.serverless.model import GatewayCors, RateLimit

# What `cors: true` means to the Serverless Framework.
_DEFAULT_HEADERS = (
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
)
_KEYS = {
    "allowedOrigins",
    "allowedMethods",
    "allowedHeaders",
    "exposedResponseHeaders",
    "allowCredentials",
    "maxAge",
}


def read_cors(declared: Any, methods: Iterable[str]) -> GatewayCors | None:
    """`methods` are those of the routes, which are allowed unless the declaration names others."""
    if not declared:
        return None
    cors = {} if declared is True else checked(declared, "provider.httpApi.cors", set(), _KEYS)
    max_age = cors.get("maxAge")
    return GatewayCors(
        _texts(cors, "allowedOrigins", ["*"]),
        _texts(cors, "allowedMethods", sorted({"OPTIONS", *methods} - {"ANY"})),
        _texts(cors, "allowedHeaders", _DEFAULT_HEADERS),
        _texts(cors, "exposedResponseHeaders", ()),
        bool(cors.get("allowCredentials", False)),
        None if max_age is None else as_int(max_age, "provider.httpApi.cors.maxAge"),
    )


def read_limits(properties: Any) -> tuple[RateLimit, ...]:
    """Of a stage's properties, as CloudFormation has them."""
    limits = [("", properties.get("DefaultRouteSettings", {})), *properties.get("RouteSettings", {}).items()]
    return tuple(_limit(route, settings) for route, settings in limits if "ThrottlingRateLimit" in settings)


def _limit(route: str, settings: dict[str, Any]) -> RateLimit:
    try:
        rate = float(settings["ThrottlingRateLimit"])
        return RateLimit(route, rate, int(settings.get("ThrottlingBurstLimit", rate)))
    except (TypeError, ValueError):
        raise ServerlessError(f"a throttle of route {route or 'default'!r} is no number: {settings}") from None


def _texts(cors: dict[str, Any], key: str, default: Iterable[str]) -> tuple[str, ...]:
    """A list; each entry may name several, separated by commas."""
    value = cors.get(key, default)
    entries = [value] if isinstance(value, str) else value
    return tuple(part.strip() for entry in entries for part in str(entry).split(","))
