"""What the gateway's tests share: functions that run in this process, and clients that real users have."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import boto3
import websockets
from botocore.config import Config
from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
from websockets.asyncio.client import ClientConnection

from local.gateway import Clock, Gateway, GatewaySettings, HttpRoute, InvokeError, SocketRoute

Handler = Callable[[Any], object]

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI"
_SOCKET_ROUTES = {"connect": "$connect", "default": "$default", "disconnect": "$disconnect"}


class Functions:
    """An invoker for handlers (plain or async) by name; keeps every event it got."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        self._received: dict[str, list[Any]] = {}
        self._arrived = asyncio.Condition()

    async def invoke(self, function: str, event: object, request_id: str = "") -> object:
        async with self._arrived:
            self._received.setdefault(function, []).append(event)
            self._arrived.notify_all()
        result = self._handlers[function](event)
        return await result if inspect.isawaitable(result) else result

    def events(self, function: str) -> list[Any]:
        return self._received.get(function, [])

    async def wait_for(self, function: str, count: int = 1) -> list[Any]:
        """The function's events, once there are `count`."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.events(function)) >= count)
        return self.events(function)


class RunningGateway:
    """`clock` stands still until a test steps it."""

    def __init__(self, settings: dict[str, Any], handlers: dict[str, Handler]) -> None:
        self.functions = Functions(handlers)
        self.clock = Clock(rate=0)
        two_way = settings.pop("two_way", True)
        routes = [
            SocketRoute(_SOCKET_ROUTES.get(name, name), name, two_way)
            for name in handlers
            if not name.startswith("http")
        ]
        settings.setdefault("http_routes", [HttpRoute("ANY", "/{proxy+}", "http")] if "http" in handlers else [])
        settings.setdefault("credentials", {ACCESS_KEY: SECRET_KEY})
        self.gateway = Gateway(GatewaySettings(socket_routes=routes, now=self.clock, **settings), self.functions)

    def dial(self, query: str = "", **options: Any) -> Any:
        """A stock websockets client; await it or enter it."""
        options.setdefault("compression", None)
        return websockets.connect(self.gateway.websocket_url + query, ping_interval=None, **options)

    async def open_socket(self, **options: Any) -> tuple[ClientConnection, str]:
        """A socket and its connection id."""
        known = set(self.gateway.connection_ids)
        socket: ClientConnection = await self.dial(**options)
        (connection_id,) = set(self.gateway.connection_ids) - known
        return socket, connection_id

    async def handshake_status(self, **options: Any) -> int:
        """101, or the status of the refused upgrade."""
        try:
            async with self.dial(**options):
                return 101
        except websockets.InvalidStatus as refused:
            return refused.response.status_code

    def management(self, secret: str = SECRET_KEY) -> ApiGatewayManagementApiClient:
        """boto3's client without retries."""
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=self.gateway.connections_url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
        )

    async def post(self, connection_id: str, data: bytes) -> None:
        client = self.management()
        await asyncio.to_thread(client.post_to_connection, ConnectionId=connection_id, Data=data)


class StartGateway:
    """Called with settings (`stage=…`) and handlers, which are the callable arguments."""

    def __init__(self, enter: Callable[[RunningGateway], Awaitable[RunningGateway]]) -> None:
        self._enter = enter

    async def __call__(self, **arguments: Any) -> RunningGateway:
        handlers = {name: value for name, value in arguments.items() if callable(value)}
        settings = {name: value for name, value in arguments.items() if name not in handlers}
        return await self._enter(RunningGateway(settings, handlers))


@asynccontextmanager
async def running(running_gateway: RunningGateway) -> AsyncIterator[RunningGateway]:
    await running_gateway.gateway.start("127.0.0.1", 0, 0)
    try:
        yield running_gateway
    finally:
        await running_gateway.gateway.stop()


def accept(event: Any) -> dict[str, object]:
    return {"statusCode": 200}


def ignore(event: Any) -> None:
    return None


def echo(event: Any) -> dict[str, object]:
    return {"statusCode": 200, "body": event["body"]}


def fail(event: Any) -> object:
    raise InvokeError({"errorType": "RuntimeError", "errorMessage": "boom"})
