"""The gateway as a whole: one port for the HTTP API, one for WebSockets and `@connections`."""

import asyncio
import contextlib
from collections.abc import Callable

from local.gateway.connections_api import ConnectionsApi
from local.gateway.faults import Faults
from local.gateway.http_api import HttpApi
from local.gateway.http_server import HttpServer
from local.gateway.invoking import Integration, Invoker
from local.gateway.settings import GatewaySettings
from local.gateway.throttle import TokenBucket
from local.gateway.websocket_api import WebSocketApi

_LIMIT_CHECK_SECONDS = 0.2


class Gateway:
    """`faults` may be changed at any time; `now` is the clock of the idle and lifetime limits."""

    http_url: str
    websocket_url: str
    connections_url: str

    def __init__(self, settings: GatewaySettings, invoker: Invoker) -> None:
        self.faults = Faults()
        self.now: Callable[[], float] = settings.now
        self._settings = settings
        self._integration = Integration(invoker)
        account = TokenBucket(settings.account_throttle)
        self._http_api = HttpApi(settings, self._integration, account)
        self._sockets = WebSocketApi(settings, self._integration, self.faults, account)
        connections = self.connections = ConnectionsApi(settings, self._sockets, self.faults, account)
        self._http = HttpServer(self._http_api.handle, max_head=settings.max_head, max_body=settings.max_http_body)
        self._websocket = HttpServer(
            connections.handle,
            max_head=settings.max_head,
            max_body=settings.max_message,
            upgrade=self._sockets.upgrade,
        )
        self._limits: asyncio.Task[None] | None = None

    @property
    def connection_ids(self) -> list[str]:
        """The open sockets', oldest first."""
        return list(self._sockets.sockets)

    async def start(self, host: str, http_port: int, websocket_port: int) -> None:
        """Port 0 takes a free one; afterwards the urls are set."""
        self._http_api.port = await self._http.start(host, http_port)
        self._sockets.port = await self._websocket.start(host, websocket_port)
        authority = f"{host}:{self._sockets.port}/{self._settings.stage}"
        self.http_url = f"http://{host}:{self._http_api.port}"
        self.websocket_url = f"ws://{authority}"
        self.connections_url = f"http://{authority}"
        self._limits = asyncio.create_task(self._enforce_limits())

    async def _enforce_limits(self) -> None:
        while True:
            await asyncio.sleep(_LIMIT_CHECK_SECONDS)
            self._sockets.close_overdue()

    def close_overdue(self) -> None:
        """Applies the idle and lifetime limits now; otherwise that happens a few times a second."""
        self._sockets.close_overdue()

    async def stop(self) -> None:
        """Drops every connection without a word and abandons what functions still do."""
        if self._limits is not None:
            self._limits.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._limits
        await self._sockets.stop()
        await self._http.stop()
        await self._websocket.stop()
        await self._integration.stop()
