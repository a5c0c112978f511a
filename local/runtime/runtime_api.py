"""The Lambda Runtime API for one environment, on a loopback port of its own: the port tells who is asking."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Protocol

from aiohttp import web

_VERSION = "/2018-06-01/runtime"


class Runtime(Protocol):
    """The environment's side; `next_event` returns headers and body."""

    def next_event(self) -> Awaitable[tuple[dict[str, str], bytes]]: ...
    def answered(self, request_id: str, body: bytes) -> None: ...
    def failed(self, request_id: str, error: dict[str, object]) -> None: ...
    def could_not_start(self, error: dict[str, object]) -> None: ...


class RuntimeApi:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._web = web.Server(self._serve, access_log=None)
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """The address for `AWS_LAMBDA_RUNTIME_API`."""
        self._server = await asyncio.get_running_loop().create_server(self._web, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            await self._web.shutdown(timeout=0)

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        parts = request.path.removeprefix(_VERSION).strip("/").split("/")
        match request.method, parts:
            case "GET", ["invocation", "next"]:
                headers, body = await self._runtime.next_event()
                return web.Response(body=body, headers=headers)
            case "POST", ["invocation", request_id, "response"]:
                self._runtime.answered(request_id, await request.content.read())
            case "POST", ["invocation", request_id, "error"]:
                self._runtime.failed(request_id, _error(await request.content.read()))
            case "POST", ["init", "error"]:
                self._runtime.could_not_start(_error(await request.content.read()))
            case _:
                return web.json_response({"errorMessage": "not found", "errorType": "NotFound"}, status=404)
        return web.json_response({"status": "OK"}, status=202)


def _error(body: bytes) -> dict[str, object]:
    # The runtime client encodes the initialisation error twice.
    told = json.loads(body)
    told = json.loads(told) if isinstance(told, str) else told
    return told if isinstance(told, dict) else {"errorType": "Runtime.Unknown", "errorMessage": str(told)}
