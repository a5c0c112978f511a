"""`traffic-cop up`: one stack, from its start to the signal that ends it."""

import asyncio
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable

from local.aws.moto import MotoFailed
from local.console import say
from local.demo_users import DEMO_USERS
from local.redis.link import LinkLost
from local.redis.valkey import ValkeyError
from local.refused import Refused
from local.screen import render
from local.stack import Stack, StackOptions

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FILES = 10_240


def up(options: StackOptions, as_json: bool) -> None:
    """Returns after SIGINT, SIGTERM or SIGHUP; `Refused` if a part does not start."""
    _allow_many_files()
    if not as_json:
        say("traffic-cop: starting; give it a few seconds")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    try:
        asyncio.run(_run(Stack(options), _announce_json if as_json else _announce))
    except (LinkLost, MotoFailed, OSError, ValkeyError) as error:
        raise Refused(f"the stack did not start: {error}") from error


def _allow_many_files() -> None:
    """Each client's socket is one; the usual soft limits end at 256 or 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(stack: Stack, announce: Callable[[Stack], None]) -> None:
    """A second signal ends everything at once; SIGUSR1 runs the schedules now, SIGUSR2 deploys."""
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()

    def stop(number: signal.Signals) -> None:
        if asked_to_stop.is_set():
            os._exit(1)
        asked_to_stop.set()
        say(f"traffic-cop: {number.name}, stopping")

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    stopping = asyncio.create_task(asked_to_stop.wait())
    starting = asyncio.create_task(stack.start())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    try:
        starting.result()
        ticks: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGUSR1, lambda: ticks.add(loop.create_task(stack.tick())))
        loop.add_signal_handler(signal.SIGUSR2, stack.deploy)
        announce(stack)
        await stopping
    finally:
        stopping.cancel()
        await stack.stop()


def _announce_json(stack: Stack) -> None:
    sys.stdout.write(json.dumps(stack.describe()) + "\n")
    sys.stdout.flush()


def _announce(stack: Stack) -> None:
    alice = stack.issuer.session_for(DEMO_USERS[0].email)
    token = alice["access_token"] if stack.has_demo_users else "<access token>"
    bucket = next((bucket.name for bucket in stack.service.buckets), "-")
    screen = render(stack.describe(), token, bucket, str(stack.data.log), stack.options.port_base)
    sys.stdout.write(screen + "\n")
    sys.stdout.flush()
