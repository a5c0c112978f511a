"""Everything that Traffic Cop needs, on one machine: started in order, stopped without a trace."""

import asyncio
import json
import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.datadir import DataDirectory
from local.demo_users import add_demo_users
from local.events import EventSources
from local.gateway import Gateway
from local.issuer import SupabaseIssuer
from local.ports import HOST, Ports
from local.provisioning import provision
from local.real_services import RealServices
from local.redis import AsyncValkeyServer, UpstashGateway
from local.rundir import RunDirectory, write_atomically
from local.runtime import LambdaRuntime, WorkerLog
from local.serverless import Deployment, ServerlessFile, Service
from local.wiring import gateway_settings, runtime_function

PROJECT = Path(__file__).resolve().parents[1]
# So many environments of each function run from the start, for nothing may rely on meeting the same one again.
_WARM = 3


@dataclass(frozen=True)
class StackOptions:
    """`port_base` 0 takes free ports; without `data_dir` nothing survives the stack.

    For tests: `schedule` False leaves time to `Stack.tick`; `environment` replaces declared variables of the
    functions; `gateway` replaces fields of the gateway's settings.
    """

    project: Path = PROJECT
    port_base: int = 0
    workers: int = _WARM
    data_dir: Path | None = None
    verbose: bool = False
    schedule: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    gateway: Mapping[str, Any] = field(default_factory=dict)


class Stack:
    """Its parts are open to tests: `gateway` (faults, clock), `upstash` (faults), `issuer`, `aws`, `runtime`, `events`.

    Start it on a thread that lives as long as the stack: on Linux the kernel ends the children with that thread.
    """

    gateway: Gateway
    events: EventSources
    service: Service

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.valkey = AsyncValkeyServer()
        self.aws = LocalAws()
        self.runtime = LambdaRuntime([], options.project)
        self._real = RealServices.from_env(os.environ)
        self._file = ServerlessFile(options.project / "serverless.yml")
        self._ports = Ports.from_base(options.port_base)
        self._run = RunDirectory()
        self.data = DataDirectory(options.data_dir or self._run.path, options.data_dir is not None)
        self._started = AsyncExitStack()
        self._ready = asyncio.Event()
        self._pids_are_stale = False

    async def start(self) -> None:
        """Returns when every part answers; whatever goes wrong, nothing is left running."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """In the reverse order; idempotent."""
        await self._started.aclose()
        self.data.release()
        self._run.remove()

    async def tick(self) -> None:
        """Runs every schedule once, now; returns when that is done."""
        await self.events.schedules.tick()

    def deploy(self) -> None:
        """Has every function serve the code as it is on disk now; sockets stay open and nothing is cut short."""
        self.runtime.replace(self.options.project)

    async def invoke(self, function: str, event: object, request_id: str = "") -> object:
        """The gateway's way to the functions: who comes before they stand, waits."""
        await self._ready.wait()
        return await self.runtime.invoke(function, event, request_id)

    def runtime_pids(self) -> list[int]:
        """Empty before the functions stand."""
        return [pid for pids in self.runtime.pids().values() for pid in pids]

    def describe(self) -> dict[str, Any]:
        """Where everything is: what `traffic-cop up --json` prints."""
        return {
            "http": self.gateway.http_url,
            "websocket": self.gateway.websocket_url,
            "connections": self.gateway.connections_url,
            **self._supabase(),
            "redis_rest_url": self._real.redis_rest_url or self.upstash.url,
            "redis_rest_token": self._real.redis_rest_token or self.upstash.token,
            "s3": self.aws.s3_url,
            "sqs": self.aws.sqs_url,
            "runtime_pids": self.runtime_pids(),
        }

    @property
    def has_demo_users(self) -> bool:
        """False with a real Supabase project, whose users are its own."""
        return not self._real.supabase_url

    def _supabase(self) -> dict[str, str]:
        real, issuer = self._real, self.issuer
        return {
            "supabase_url": real.supabase_url or issuer.url,
            "supabase_anon_key": real.supabase_anon_key or issuer.anon_key,
            "supabase_service_key": "" if real.supabase_url else issuer.service_key,
        }

    async def _start(self) -> None:
        self._ports.check()
        self.data.acquire()
        keys = self.data.keys()
        self.issuer = SupabaseIssuer(self.data.issuer, keys["anon"], keys["service"])
        self.service = self._file.service(self._deployment("http://127.0.0.1:0"))
        await _together(self._start_redis(keys["redis"]), self._start_issuer(), self._start_aws())
        await self._start_gateway()
        await self._start_runtime(keys["cursor"])
        await self._start_events()
        self._ready.set()
        # The others come up while the first ones already serve.
        await self.runtime.start(min(_WARM, self.options.workers), ready=0)
        self._run.announce({**self.describe(), "port_base": self.options.port_base})

    def _deployment(self, sqs_url: str) -> Deployment:
        return Deployment(region=self.aws.region, sqs_url=sqs_url)

    async def _start_redis(self, token: str) -> None:
        address = os.environ.get("REDIS_URL", "")
        if not address:
            self._started.push_async_callback(self.valkey.stop)
            await self.valkey.start(self.data.redis)
            address = self.valkey.url
        self.upstash = UpstashGateway(address, token)
        self._started.push_async_callback(self.upstash.stop)
        await self.upstash.start(HOST, self._ports.redis)

    async def _start_issuer(self) -> None:
        self._started.push_async_callback(self.issuer.stop)
        await self.issuer.start(HOST, self._ports.supabase)
        add_demo_users(self.issuer)

    async def _start_aws(self) -> None:
        self._started.push_async_callback(self.aws.stop)
        await self.aws.start(HOST, self._ports.s3, self._ports.sqs, self.data.objects)
        self.service = self._file.service(self._deployment(self.aws.sqs_url))
        keys = self.aws.credentials
        where = (self.aws.s3_url, self.aws.sqs_url)
        await asyncio.to_thread(provision, self.service, *where, keys.access_key, keys.secret_key)

    async def _start_gateway(self) -> None:
        settings = replace(gateway_settings(self.service), **self.options.gateway)
        self.gateway = Gateway(settings, self)
        self._started.push_async_callback(self.gateway.stop)
        await self.gateway.start(HOST, self._ports.http, self._ports.websocket)

    async def _start_runtime(self, cursor_secret: str) -> None:
        log = WorkerLog(self.data.log, self.options.verbose)
        self._started.callback(log.close)
        here, account = self._addresses(cursor_secret), self._account()
        functions = [runtime_function(one, self.service, here, account) for one in self.service.functions.values()]
        self.runtime = LambdaRuntime(
            functions, self.options.project, self.options.workers, log, on_change=self._pids_changed
        )
        self._started.push_async_callback(self.runtime.stop)
        await self.runtime.start(1)

    async def _start_events(self) -> None:
        self.events = EventSources(self.service, self.runtime, self.aws.sqs_url, self.options.workers)
        await self.events.start(self.options.schedule)
        self._started.push_async_callback(self.events.stop)
        self.aws.on_object_event = self.events.objects
        self._started.callback(setattr, self.aws, "on_object_event", None)

    def _addresses(self, cursor_secret: str) -> dict[str, str]:
        """What serverless.yml takes from the deployer's environment, as it is on this machine."""
        where = self.describe()
        return {
            "UPSTASH_REDIS_REST_URL": where["redis_rest_url"],
            "UPSTASH_REDIS_REST_TOKEN": where["redis_rest_token"],
            "SUPABASE_URL": where["supabase_url"],
            "SUPABASE_JWT_SECRET": self._real.jwt_secret,
            "CONNECTIONS_ENDPOINT": self.gateway.connections_url,
            "CURSOR_SECRET": cursor_secret,
            # Known, so that an app under development can sign subscription tokens.
            "SUBSCRIPTION_SECRET": "local",
            **self.options.environment,
        }

    def _account(self) -> dict[str, str]:
        keys = self.aws.credentials
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_ENDPOINT_URL_S3": self.aws.s3_url,
            "AWS_ENDPOINT_URL_SQS": self.aws.sqs_url,
        }

    def _pids_changed(self) -> None:
        if not self._pids_are_stale:
            self._pids_are_stale = True
            asyncio.get_running_loop().call_soon(self._write_pids)

    def _write_pids(self) -> None:
        self._pids_are_stale = False
        if self.data.path.exists():
            write_atomically(self.data.pids, json.dumps(self.runtime.pids()))


async def _together(*parts: Coroutine[Any, Any, None]) -> None:
    """The first failure ends the others before it is raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
