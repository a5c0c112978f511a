"""`traffic-cop`: the whole service on this machine, and tokens to try it with."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local import rundir
from local.datadir import InUse
from local.demo_users import DEMO_USERS, PASSWORD
from local.ports import DEFAULT_BASE, PortTaken
from local.screen import render
from local.serverless import ServerlessError
from local.stack import Stack, StackOptions
from local.tokens import SignInRefused, access_token

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HIGHEST_BASE = 65_530


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; errors are one line on standard error."""
    asked = _parser().parse_args(arguments)
    try:
        status: int = asked.run(asked)
    except (InUse, PermissionError, PortTaken, ServerlessError, SignInRefused, rundir.NotRunning) as error:
        print(f"traffic-cop: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="traffic-cop", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run everything on this machine until Ctrl-C")
    up.add_argument("--json", action="store_true", help="print one line of JSON once ready, and nothing else")
    up.add_argument(
        "--port-base", type=_port_base, default=DEFAULT_BASE, metavar="N", help="0: free ports (default 4000)"
    )
    up.add_argument(
        "--workers", type=_workers, default=3, metavar="N", help="environments per function (default 3)"
    )
    up.add_argument(
        "--data", type=Path, metavar="DIR", help="keep Redis, S3 and the users there from run to run"
    )
    up.add_argument("--verbose", action="store_true", help="show what the functions print")
    up.set_defaults(run=_up)
    token = commands.add_parser("token", help="print an access token of a user of the running stack")
    token.add_argument("email", metavar="EMAIL", help=f"for example {DEMO_USERS[0].email}")
    token.add_argument("--password", default=PASSWORD)
    token.add_argument("--port-base", type=_port_base, metavar="N", help="of which stack, when several run")
    token.set_defaults(run=_token)
    return parser


def _port_base(text: str) -> int:
    base = int(text)
    if base != 0 and not 1024 <= base <= _HIGHEST_BASE:
        raise argparse.ArgumentTypeError(f"0, or 1024 to {_HIGHEST_BASE}")
    return base


def _workers(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)


def _up(asked: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    options = StackOptions(
        port_base=asked.port_base,
        workers=asked.workers,
        data_dir=asked.data and asked.data.resolve(),
        verbose=asked.verbose,
    )
    stack = Stack(options)
    announce: Callable[[Stack], None] = _announce_json if asked.json else _announce
    return asyncio.run(_run(stack, announce))


async def _run(stack: Stack, announce: Callable[[Stack], None]) -> int:
    """Until a signal; SIGUSR1 runs the schedules at once, a second stop signal ends everything hard."""
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()

    def stop() -> None:
        if asked_to_stop.is_set():
            os._exit(1)
        asked_to_stop.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    stopping = asyncio.create_task(asked_to_stop.wait())
    starting = asyncio.create_task(stack.start())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return 0
    starting.result()
    ticks: set[asyncio.Task[None]] = set()
    loop.add_signal_handler(signal.SIGUSR1, lambda: ticks.add(loop.create_task(stack.tick())))
    try:
        announce(stack)
        await stopping
    finally:
        await stack.stop()
    return 0


def _announce_json(stack: Stack) -> None:
    print(json.dumps(stack.describe()), flush=True)


def _announce(stack: Stack) -> None:
    token = stack.issuer.session_for(DEMO_USERS[0].email)["access_token"]
    bucket = next((bucket.name for bucket in stack.service.buckets), "-")
    print(render(stack.describe(), token, bucket, str(stack.data.log), stack.options.port_base), flush=True)


def _token(asked: argparse.Namespace) -> int:
    stack = rundir.find(asked.port_base)
    print(access_token(stack["supabase_url"], stack["supabase_anon_key"], asked.email, asked.password))
    return 0
