"""API Gateway on one machine: HTTP and WebSocket APIs that treat clients and functions as AWS does."""

from local.gateway.clock import Clock
from local.gateway.faults import ConnectionFault, Faults
from local.gateway.invoking import InvokeError, Invoker, InvokeThrottled, InvokeTimeout
from local.gateway.server import Gateway
from local.gateway.settings import Cors, GatewaySettings, HttpRoute, SocketRoute, Throttle

__all__ = [
    "Clock",
    "ConnectionFault",
    "Cors",
    "Faults",
    "Gateway",
    "GatewaySettings",
    "HttpRoute",
    "InvokeError",
    "InvokeThrottled",
    "InvokeTimeout",
    "Invoker",
    "SocketRoute",
    "Throttle",
]
