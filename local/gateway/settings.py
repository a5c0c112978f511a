"""What one gateway serves, and its quotas: AWS's by default, so that whoever says nothing gets AWS's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from local.gateway.clock import Clock

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class HttpRoute:
    """`method` may be `ANY`; `path` is `/files`, `/files/{id}`, `/files/{proxy+}` or `$default`."""

    method: str
    path: str
    function: str

    @property
    def key(self) -> str:
        return self.path if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class SocketRoute:
    """`key` is `$connect`, `$disconnect`, `$default` or a value of the route selection expression."""

    key: str
    function: str
    two_way: bool = False


@dataclass(frozen=True)
class Cors:
    """The HTTP API's CORS configuration; `*` is allowed in every list. `max_age` is in seconds."""

    allow_origins: Sequence[str] = ()
    allow_methods: Sequence[str] = ()
    allow_headers: Sequence[str] = ()
    expose_headers: Sequence[str] = ()
    allow_credentials: bool = False
    max_age: int | None = None


@dataclass(frozen=True)
class Throttle:
    """A token bucket: `rate` requests a second on the long run, `burst` at once."""

    rate: float
    burst: int


@dataclass(frozen=True)
class GatewaySettings:
    """Sizes are in bytes, times in seconds. `now` runs the idle and lifetime limits only.

    With `credentials` (access key id → secret) `@connections` checks signatures, without it only their form.
    """

    http_routes: Sequence[HttpRoute] = ()
    socket_routes: Sequence[SocketRoute] = ()
    cors: Cors | None = None
    stage: str = "local"
    api_id: str = "trafficcop"
    account_id: str = "123456789012"
    route_selection_expression: str = "$request.body.action"
    credentials: Mapping[str, str] | None = None
    require_signature: bool = True

    idle_seconds: float = 600.0
    lifetime_seconds: float = 7200.0
    socket_timeout: float = 29.0
    http_timeout: float = 30.0
    close_timeout: float = 10.0
    now: Callable[[], float] = field(default_factory=Clock)

    account_throttle: Throttle = Throttle(rate=10_000, burst=5_000)
    new_connections: Throttle = Throttle(rate=500, burst=500)
    socket_throttles: Mapping[str, Throttle] = field(default_factory=dict)
    http_throttles: Mapping[str, Throttle] = field(default_factory=dict)

    max_frame: int = 32 * KIB
    max_message: int = 128 * KIB
    client_buffer: int = 1 * MIB
    max_socket_url: int = 4096
    max_head: int = 10_240
    max_http_body: int = 10 * MIB
    max_function_payload: int = 6 * MIB
