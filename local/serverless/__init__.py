"""Reads serverless.yml without Node: what is declared there is what runs on one machine."""

from local.serverless.deployment import Deployment
from local.serverless.errors import ServerlessError
from local.serverless.model import (
    Bucket,
    CorsRule,
    Function,
    GatewayCors,
    HttpEvent,
    ObjectEvent,
    Queue,
    QueueEvent,
    RateLimit,
    ScheduleEvent,
    Service,
    SocketEvent,
)
from local.serverless.reader import ServerlessFile

__all__ = [
    "Bucket",
    "CorsRule",
    "Deployment",
    "Function",
    "GatewayCors",
    "HttpEvent",
    "ObjectEvent",
    "Queue",
    "QueueEvent",
    "RateLimit",
    "ScheduleEvent",
    "ServerlessError",
    "ServerlessFile",
    "Service",
    "SocketEvent",
]
