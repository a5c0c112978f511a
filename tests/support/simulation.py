"""Handlers that run one at a time and step by step, over the real scripts on a real server.

Each handler has a thread of its own, which waits before every trip to Redis, every send and every close until it is
told to go on, and how that goes.  What stands in for others: AWS's @connections, the SQS queue, the clock.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, Protocol, Self

import redis

import shared
from local.redis.scripts import without_key_locking
from shared.realtime.realtime import Realtime
from shared.realtime.sender import Outcome, Post, Report
from shared.realtime.upkeep import Upkeep
from shared.settings import Settings
from shared.state.client import Redis
from shared.state.errors import CommandRefused, OutcomeUnknown
from shared.state.scripts import Script

_HUNG_S: Final = 30
_LONG_AFTER_S: Final = 3_600
_PAUSED_S: Final = 20.0
# What the log may say of a lost answer or a closed lane, and nothing else.
_EXPECTED: Final = ("OutcomeUnknown", "Unreachable")


class Died(BaseException):
    """The environment was killed: nothing catches it."""


class Fate(Enum):
    """What becomes of the next request (or send) of a handler, and of the handler itself."""

    DONE = auto()
    THROTTLED = auto()
    """429; a request to Redis is just done."""
    UNREACHED = auto()
    """Time is up: whom nothing was sent to yet gets nothing now; a request to Redis is just done."""
    LOST = auto()
    """No answer, and it never arrived."""
    UNHEARD = auto()
    """Done, but the answer is lost."""
    LATE = auto()
    """No answer; it arrives later, by `Simulation.late`."""
    DIES = auto()
    DIES_AFTER = auto()
    DIES_LATE = auto()

    @property
    def deadly(self) -> bool:
        return self in (Fate.DIES, Fate.DIES_AFTER, Fate.DIES_LATE)

    @property
    def arrives(self) -> bool:
        return self in (Fate.DONE, Fate.UNHEARD, Fate.DIES_AFTER)

    @property
    def arrives_late(self) -> bool:
        return self in (Fate.LATE, Fate.DIES_LATE)


NO_FAULTS: Final = (Fate.DONE, Fate.THROTTLED, Fate.UNREACHED)
FAULTS: Final = tuple(fate for fate in Fate if fate not in NO_FAULTS)


class Handler(threading.Thread):
    """One invocation: runs only within `go_on`, from one wait to the next."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.waits_for = "start"
        self.ended = False
        self.failure: BaseException | None = None
        self.clock_s = 1_000.0
        self._work = work
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._told: tuple[Fate, int] = (Fate.DONE, 0)
        self.start()

    def run(self) -> None:
        self._go.acquire()
        try:
            if not self._told[0].deadly:
                self._work()
        except Died:
            pass
        except BaseException as failure:
            self.failure = failure
        self.ended = True
        self._back.release()

    def go_on(self, fate: Fate = Fate.DONE, pick: int = 0) -> None:
        """Lets it run until it waits again or ends."""
        self._told = (fate, pick)
        self._go.release()
        if not self._back.acquire(timeout=_HUNG_S):
            raise TimeoutError(f"{self.name} hangs after {self.waits_for}")

    def wait(self, what: str) -> tuple[Fate, int]:
        """Called by the handler itself."""
        self.waits_for = what
        self._back.release()
        self._go.acquire()
        return self._told


class Clock:
    """Stands in for the module `time`: a handler's time passes only when a test says so."""

    def monotonic(self) -> float:
        current = threading.current_thread()
        return current.clock_s if isinstance(current, Handler) else 1_000.0

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        pass


class SocketEnd(Protocol):
    """A client's end of a WebSocket."""

    connection: str

    def receive(self, frame: str) -> None: ...

    def closed(self) -> None: ...


class Simulation:
    """The handlers under way, what of theirs is still on its way, and the servers that they talk to."""

    def __init__(self, settings: Settings, server: "redis.Redis", seen: Callable[[str], None]) -> None:
        self.handlers: list[Handler] = []
        self.late: list[Callable[[], object]] = []
        self.queue: list[str] = []
        self.sockets: dict[str, SocketEnd] = {}
        self.faults = 0
        self.unexpected = _Unexpected()
        self.broken: list[Exception] = []
        self.owners: dict[str, Handler] = {}
        self.trail: list[str] = []
        self._seen = seen
        self.realtime = _Realtime(settings, _SteppedRedis(self, server), self)

    def spawn(self, name: str, work: Callable[[], None]) -> Handler:
        handler = Handler(name, work)
        self.handlers.append(handler)
        self.note(f"begins {name}")
        return handler

    def step(self, handler: Handler, fate: Fate = Fate.DONE, pick: int = 0) -> None:
        if fate in FAULTS:
            self.faults += 1
        self.note(f"{handler.name}: {handler.waits_for} {fate.name}")
        handler.go_on(fate, pick)
        if handler.ended:
            self.handlers.remove(handler)
            if handler.failure is not None:
                raise handler.failure
        self.check()

    def check(self) -> None:
        """What broke in a handler, which the code under test may have caught."""
        if self.broken:
            raise self.broken[0]
        if self.unexpected.found:
            raise AssertionError(self.unexpected.found[0])

    def finish(self, handler: Handler) -> None:
        while not handler.ended:
            self.step(handler)

    def pass_lease(self, owner: str) -> None:
        """Whoever has this name has been asleep for longer than a lease."""
        if owner in self.owners:
            self.faults += 1
            self.owners[owner].clock_s += _PAUSED_S

    def wait(self, what: str) -> tuple[Fate, int]:
        current = threading.current_thread()
        return current.wait(what) if isinstance(current, Handler) else (Fate.DONE, 0)

    def attempt(self, what: str, effect: Callable[[], Any], fate: Fate | None = None) -> tuple[Fate, Any]:
        """Waits, then has the effect happen as it is fated; raises Died where the handler dies of it."""
        fate = fate or self.wait(what)[0]
        fate = Fate.DONE if fate in NO_FAULTS else fate
        result = effect() if fate.arrives else None
        if fate.arrives_late:
            self.late.append(effect)
        if fate.deadly:
            raise Died
        return fate, result

    def arrive(self, connection: str, frame: str) -> bool:
        """False when API Gateway has no such socket."""
        socket = self.sockets.get(connection)
        self.note(f"{'->' if socket else '410'} {connection} {frame}")
        if socket is not None:
            self._watch(lambda: socket.receive(frame))
        return socket is not None

    def hang_up(self, connection: str) -> None:
        """API Gateway closes its side."""
        socket = self.sockets.pop(connection, None)
        if socket is not None:
            self.note(f"closed {connection}")
            socket.closed()

    def looked_at(self, wire: str) -> None:
        self._watch(lambda: self._seen(wire))

    def _watch(self, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as broken:
            self.broken.append(broken)

    def __enter__(self) -> Self:
        logging.getLogger("traffic_cop").addHandler(self.unexpected)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("traffic_cop").removeHandler(self.unexpected)
        for handler in self.handlers:
            while not handler.ended:
                handler.go_on(Fate.DIES)
        self.realtime.redis.close()

    def note(self, what: str) -> None:
        self.trail.append(what)


class _Realtime(Realtime):
    def __init__(self, settings: Settings, store: Redis, simulation: Simulation) -> None:
        super().__init__(settings, store)
        self.__dict__["_simulation"] = simulation

    @cached_property
    def sender(self) -> Any:
        return SimulatedConnections(self.__dict__["_simulation"])

    @cached_property
    def upkeep(self) -> Upkeep:
        """A sweep that comes when everything is due."""
        parts = (self.redis, self.sockets, self.connections, self.delivery, self.sender)
        return Upkeep(*parts, now=lambda: time.time() + _LONG_AFTER_S)

    def _enqueue(self, messages: Sequence[str], delay_s: int) -> None:
        self.__dict__["_simulation"].queue.extend(messages)


class SimulatedConnections:
    """AWS's @connections as `Sender` shows it: one post in flight for each connection, in any order among them."""

    timeout_s = 3.0

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def post(self, posts: Sequence[Post], deadline: float) -> Report:
        waiting = {post.connection: [frame.decode() for frame in post.frames] for post in posts}
        outcomes: dict[str, Outcome] = {}
        throttled = 0
        while waiting:
            fate, pick = self._simulation.wait(f"send to {', '.join(sorted(waiting))}")
            if fate is Fate.UNREACHED or (fate is not Fate.DIES and Clock().monotonic() >= deadline):
                outcomes.update(dict.fromkeys(waiting, Outcome.UNSENT))
                break
            connection = sorted(waiting)[pick % len(waiting)]
            if fate is Fate.THROTTLED:
                throttled += 1
            elif outcome := self._send(connection, waiting[connection], fate):
                outcomes[connection] = outcome
                del waiting[connection]
        return Report(outcomes, throttled)

    def _send(self, connection: str, frames: list[str], fate: Fate) -> Outcome | None:
        frame = frames.pop(0)
        fate, arrived = self._simulation.attempt("", lambda: self._simulation.arrive(connection, frame), fate)
        if fate is not Fate.DONE:
            return Outcome.UNKNOWN
        if not arrived:
            return Outcome.GONE
        return None if frames else Outcome.DELIVERED

    def close(self, connections: Sequence[str], farewell: bytes = b"") -> None:
        for connection in sorted(connections):
            for what, effect in (
                ("tell", lambda c=connection: self._simulation.arrive(c, farewell.decode())),
                ("close", lambda c=connection: self._simulation.hang_up(c)),
            ):
                if what == "close" or farewell:
                    self._simulation.attempt(f"{what} {connection}", effect)


class _SteppedRedis(Redis):
    """The real client over a direct connection, with a wait before every trip."""

    def __init__(self, simulation: Simulation, server: "redis.Redis") -> None:
        direct = _Server(simulation, server)
        self._upstash = direct  # type: ignore[assignment]
        self.close = direct.close


class _Server:
    """What `upstash_redis` is to the client, on Valkey's own protocol (the REST one has tests of its own)."""

    def __init__(self, simulation: Simulation, server: "redis.Redis") -> None:
        self._simulation = simulation
        self._connection: Any = server.connection_pool.get_connection()
        self._scripts = _load_scripts(server)
        self.close = lambda: server.connection_pool.release(self._connection)

    def execute(self, wire: list[str]) -> Any:
        (result,) = self.execute_many([wire])
        if isinstance(result, Exception):
            raise result
        return result

    def execute_many(self, wires: Sequence[list[str]]) -> list[Any]:
        name = self._script_of(wires[-1])
        what = name.name if name else " ".join(wires[-1][:2])
        if name:
            self._remember_owner(name, wires[-1])
        fate, results = self._simulation.attempt(f"redis {what}", lambda: self._run(wires))
        if fate is not Fate.DONE:
            raise OutcomeUnknown("as the test says")
        return list(results)

    def _script_of(self, wire: list[str]) -> Script | None:
        return self._scripts[wire[1]][0] if wire[0] == "evalsha" else None

    def _run(self, wires: Sequence[list[str]]) -> list[Any]:
        results = [self._execute(wire) for wire in wires]
        self._simulation.note(f"   = {results[-1]}")
        self._simulation.looked_at(" ".join(part for wire in wires for part in wire))
        return results

    def _execute(self, wire: list[str]) -> Any:
        script = self._script_of(wire)
        if script is not None:
            wire = [wire[0], self._scripts[wire[1]][1], *wire[2:]]
        self._connection.send_command(*wire)
        try:
            return self._connection.read_response()
        except redis.ResponseError as error:
            return CommandRefused(str(error), 400)

    def _remember_owner(self, script: Script, wire: list[str]) -> None:
        current = threading.current_thread()
        if "owner" in script.argument_names and isinstance(current, Handler):
            arguments = wire[3 + int(wire[2]) :]
            self._simulation.owners[arguments[script.argument_names.index("owner")]] = current


@cache
def _load_scripts(server: "redis.Redis") -> dict[str, tuple[Script, str]]:
    """Scripts by the digest that the client knows, and the digest of what Valkey takes."""
    paths = sorted(Path(shared.__path__[0]).glob("*/lua/*.lua"))
    loaded = {}
    for script in map(Script, paths):
        source, _ = without_key_locking(script.source.encode())
        if script.key_names:
            loaded[script.sha1] = (script, str(server.script_load(source.decode())))
    return loaded


class _Unexpected(logging.Handler):
    """What the code under test logged as failed for no reason that a test gave it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = json.loads(record.getMessage())
        if said.get("error") not in _EXPECTED:
            self.found.append(record.getMessage())
