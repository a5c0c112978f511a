"""What a service declares, typed: the only thing that the rest of the local stack knows of serverless.yml."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HttpEvent:
    """`path` is `/files/{proxy+}` or `$default`; `method` may be `ANY`."""

    method: str
    path: str


@dataclass(frozen=True)
class SocketEvent:
    """`two_way`: the function's answer is sent to the client."""

    route: str
    two_way: bool = False


@dataclass(frozen=True)
class QueueEvent:
    """`partial_failures`: the function names the messages that failed (`ReportBatchItemFailures`)."""

    queue_arn: str
    batch_size: int = 10
    maximum_concurrency: int | None = None
    partial_failures: bool = False
    enabled: bool = True


@dataclass(frozen=True)
class ObjectEvent:
    """`events` as in S3's configuration: `s3:ObjectCreated:*`."""

    bucket: str
    events: tuple[str, ...] = ("s3:ObjectCreated:*",)
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True)
class ScheduleEvent:
    """`input` replaces the scheduled event if given."""

    seconds: int
    rule: str
    input: object = None
    enabled: bool = True


Event = HttpEvent | SocketEvent | QueueEvent | ObjectEvent | ScheduleEvent


@dataclass(frozen=True)
class Function:
    """`timeout` in seconds, `memory` in MB; the last three say what becomes of asynchronous events that fail."""

    name: str
    full_name: str
    arn: str
    handler: str
    timeout: int = 6
    memory: int = 1024
    runtime: str = "python3.13"
    environment: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    retries: int = 2
    maximum_event_age: int = 21_600
    on_failure: str | None = None


@dataclass(frozen=True)
class Queue:
    """`attributes` as SQS's API takes them (`VisibilityTimeout: "360"`), the redrive policy as JSON."""

    name: str
    arn: str
    url: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CorsRule:
    allowed_origins: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    allowed_headers: tuple[str, ...] = ()
    exposed_headers: tuple[str, ...] = ()
    max_age: int | None = None


@dataclass(frozen=True)
class Bucket:
    """`lifecycle` holds rules as CloudFormation has them."""

    name: str
    cors: tuple[CorsRule, ...] = ()
    lifecycle: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class GatewayCors:
    """The HTTP API's."""

    allowed_origins: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    allowed_headers: tuple[str, ...]
    exposed_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int | None = None


@dataclass(frozen=True)
class RateLimit:
    """A stage's throttle: requests a second, and at once; by route key, `""` = every other route."""

    route: str
    rate: float
    burst: int


@dataclass(frozen=True)
class Service:
    name: str
    stage: str
    region: str
    account_id: str
    functions: Mapping[str, Function]
    queues: tuple[Queue, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    cors: GatewayCors | None = None
    route_selection_expression: str = "$request.body.action"
    http_limits: tuple[RateLimit, ...] = ()
    socket_limits: tuple[RateLimit, ...] = ()
