"""How much our sender is worth: one message to N sockets by it, by a serial boto3 loop, and by boto3 in 50 threads.

`python -m tests.benchmarks.fan_out [--sockets N] [--rounds N]`: all three in one run against the local gateway, which
runs in a process of its own, as do the sockets; so the CPU time is the sender's alone.  Each way takes its best round.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config
from websockets.asyncio.client import connect

from local.gateway import Gateway, GatewaySettings, Throttle
from shared.aws.credentials import Credentials
from shared.aws.sigv4 import Signer
from shared.realtime.sender import Outcome, Post, Sender

THREADS = 50
CONCURRENCY = 64
BODY = b'{"push":{"channel":"chat:lobby","pub":{"offset":1,"data":{"text":"' + b"x" * 200 + b'"}}}}'
_KEY, _SECRET, _REGION = "AKIDEXAMPLE", "secret", "us-east-1"
_PLENTY = Throttle(rate=1_000_000, burst=1_000_000)
_Send = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock and of CPU for one message to everybody."""

    way: str
    wall_s: float
    cpu_s: float


class _NoFunctions:
    async def invoke(self, function: str, event: object, request_id: str = "") -> object:
        raise NotImplementedError(function)


def serve_gateway(told: Connection) -> None:
    """A process: says its two addresses and the ids of the open sockets whenever it is asked."""
    asyncio.run(_serve_gateway(told))


async def _serve_gateway(told: Connection) -> None:
    settings = GatewaySettings(
        credentials={_KEY: _SECRET}, account_throttle=_PLENTY, new_connections=_PLENTY, idle_seconds=3600
    )
    gateway = Gateway(settings, _NoFunctions())
    await gateway.start("127.0.0.1", 0, 0)
    told.send((gateway.websocket_url, gateway.connections_url))
    while await asyncio.to_thread(told.recv) is not None:
        told.send(gateway.connection_ids)
    await gateway.stop()


def hold_sockets(url: str, count: int, told: Connection) -> None:
    """A process: opens so many sockets, says so, and answers each question with how many frames have come."""
    asyncio.run(_hold_sockets(url, count, told))


async def _hold_sockets(url: str, count: int, told: Connection) -> None:
    heard = [0]

    async def listen(socket: Any) -> None:
        async for _ in socket:
            heard[0] += 1

    sockets = [await connect(url, compression=None, ping_interval=None, proxy=None) for _ in range(count)]
    listening = [asyncio.create_task(listen(socket)) for socket in sockets]
    told.send(count)
    while await asyncio.to_thread(told.recv) is not None:
        told.send(heard[0])
    for task in listening:
        task.cancel()
    await asyncio.gather(*(socket.close() for socket in sockets))


def by_our_sender(endpoint: str) -> _Send:
    signer = Signer(Credentials(_KEY, _SECRET), _REGION, "execute-api")
    sender = Sender(endpoint, signer, concurrency=CONCURRENCY, timeout_ms=30_000)

    def send(connections: Sequence[str]) -> None:
        posts = [Post(connection, (BODY,)) for connection in connections]
        outcomes = sender.post(posts, time.monotonic() + 300).outcomes
        if set(outcomes.values()) != {Outcome.DELIVERED}:
            raise RuntimeError("not everything was delivered")

    return send


def _boto3_client(endpoint: str) -> Any:
    session = boto3.session.Session(_KEY, _SECRET, region_name=_REGION)
    config = Config(max_pool_connections=THREADS)
    return session.client("apigatewaymanagementapi", endpoint_url=endpoint, config=config)


def by_serial_boto3(endpoint: str) -> _Send:
    client = _boto3_client(endpoint)

    def send(connections: Sequence[str]) -> None:
        for connection in connections:
            client.post_to_connection(ConnectionId=connection, Data=BODY)

    return send


def by_threaded_boto3(endpoint: str) -> _Send:
    client = _boto3_client(endpoint)

    def send(connections: Sequence[str]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(
                pool.map(lambda connection: client.post_to_connection(ConnectionId=connection, Data=BODY), connections)
            )

    return send


WAYS: dict[str, Callable[[str], _Send]] = {
    "our sender": by_our_sender,
    "boto3, one after the other": by_serial_boto3,
    f"boto3, {THREADS} threads": by_threaded_boto3,
}


def measure(way: str, send: _Send, connections: Sequence[str], rounds: int) -> Measured:
    """The best of the rounds; one before them opens the HTTP connections."""
    send(connections[:CONCURRENCY])
    best = Measured(way, float("inf"), float("inf"))
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        send(connections)
        took = Measured(way, time.perf_counter() - wall, time.process_time() - cpu)
        best = min(best, took, key=lambda measured: measured.wall_s)
    return best


def table(results: Sequence[Measured], sockets: int) -> str:
    """Markdown; ratios are to the first row."""
    ours = results[0]
    rows = [
        f"One message to {sockets:,} sockets, best round:",
        "",
        "| way | time | posts/s | times ours | CPU per post | times ours |",
        "|---|---|---|---|---|---|",
    ]
    for one in results:
        rows.append(
            f"| {one.way} | {one.wall_s * 1000:,.0f} ms | {sockets / one.wall_s:,.0f} "
            f"| {one.wall_s / ours.wall_s:.1f} | {one.cpu_s / sockets * 1e6:,.0f} µs | {one.cpu_s / ours.cpu_s:.1f} |"
        )
    return "\n".join(rows)


def run(sockets: int, rounds: int) -> str:
    """The table; raises if a socket did not get everything."""
    sent = len(WAYS) * (min(CONCURRENCY, sockets) + sockets * rounds)
    with running_gateway(sockets, sent) as (endpoint, connections):
        results = [measure(way, make(endpoint), connections, rounds) for way, make in WAYS.items()]
    return table(results, sockets)


@contextmanager
def running_gateway(sockets: int, sent: int = 0) -> Iterator[tuple[str, Sequence[str]]]:
    """The endpoint and the open connections; raises at the end if `sent` frames were not heard."""
    context = multiprocessing.get_context("spawn")
    gateway, gateway_end = context.Pipe()
    holder, holder_end = context.Pipe()
    serving = context.Process(target=serve_gateway, args=(gateway_end,), daemon=True)
    serving.start()
    url, endpoint = gateway.recv()
    holding = context.Process(target=hold_sockets, args=(url, sockets, holder_end), daemon=True)
    holding.start()
    holder.recv()
    yield endpoint, _asked(gateway)
    until = time.monotonic() + 10
    while sent and (heard := _asked(holder)) != sent:
        if time.monotonic() > until:
            raise RuntimeError(f"{sent} sent, {heard} heard")
    for end, process in ((holder, holding), (gateway, serving)):
        end.send(None)
        process.join(10)


def _asked(end: Connection) -> Any:
    end.send("?")
    return end.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(run(asked.sockets, asked.rounds))  # noqa: T201


if __name__ == "__main__":
    main()
