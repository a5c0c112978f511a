"""Turns what serverless.yml declares into what the gateway and the runtime take."""

from collections.abc import Iterator, Mapping

from local.gateway import Cors, GatewaySettings, HttpRoute, SocketRoute, Throttle
from local.runtime import RuntimeFunction
from local.serverless import Function, GatewayCors, HttpEvent, RateLimit, Service, SocketEvent


def gateway_settings(service: Service) -> GatewaySettings:
    http, sockets = list(_http_routes(service)), list(_socket_routes(service))
    return GatewaySettings(
        http_routes=http,
        socket_routes=sockets,
        cors=_cors(service.cors),
        stage=service.stage,
        account_id=service.account_id,
        route_selection_expression=service.route_selection_expression,
        http_throttles=_throttles(service.http_limits, [route.key for route in http]),
        socket_throttles=_throttles(service.socket_limits, [route.key for route in sockets]),
    )


def _http_routes(service: Service) -> Iterator[HttpRoute]:
    for function in service.functions.values():
        for event in function.events:
            if isinstance(event, HttpEvent):
                yield HttpRoute(event.method, event.path, function.name)


def _socket_routes(service: Service) -> Iterator[SocketRoute]:
    for function in service.functions.values():
        for event in function.events:
            if isinstance(event, SocketEvent):
                yield SocketRoute(event.route, function.name, event.two_way)


def _cors(declared: GatewayCors | None) -> Cors | None:
    if declared is None:
        return None
    return Cors(
        allow_origins=declared.allowed_origins,
        allow_methods=declared.allowed_methods,
        allow_headers=declared.allowed_headers,
        expose_headers=declared.exposed_headers,
        allow_credentials=declared.allow_credentials,
        max_age=declared.max_age,
    )


def _throttles(limits: tuple[RateLimit, ...], routes: list[str]) -> dict[str, Throttle]:
    """The stage's default is a limit for each route by itself."""
    declared = {limit.route: Throttle(limit.rate, limit.burst) for limit in limits}
    default = {route: declared[""] for route in routes if "" in declared}
    return default | {route: limit for route, limit in declared.items() if route}


def runtime_function(
    function: Function, service: Service, here: Mapping[str, str], account: Mapping[str, str]
) -> RuntimeFunction:
    """`here` replaces declared variables with what holds on this machine; `account` is set like Lambda's own.

    A variable that the function does not declare is not given to it either: on AWS it would be missing too.
    """
    replaced = {name: here.get(name, value) for name, value in function.environment.items()}
    return RuntimeFunction(
        name=function.name,
        handler=function.handler,
        timeout=function.timeout,
        memory=function.memory,
        environment={**account, **replaced},
        full_name=function.full_name,
        runtime=function.runtime,
        region=service.region,
        account_id=service.account_id,
    )
