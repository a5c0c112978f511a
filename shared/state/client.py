"""The store, through a real `upstash_redis.Redis` whose HTTP layer is ours (see `transport`)."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from shared.settings import InvalidSetting, Settings
from shared.state.errors import CommandRefused, OutcomeUnknown, Unreachable
from shared.state.keys import Key
from shared.state.published import Redis as PublishedRedis
from shared.state.published import make_headers
from shared.state.scripts import Script
from shared.state.transport import Transport

Argument = str | int | Key
_T = TypeVar("_T")


class Redis:
    """Runs scripts, single commands and pipelines; results are text, int, None and lists of them, never cast.

    Every method raises Unreachable, OutcomeUnknown or CommandRefused (`shared.state.errors`). What could not
    be sent is tried once more; what may have been executed only when the caller says `idempotent`. Kept connections
    are closed by `close()` or with the object.
    """

    failures = 0
    """How many requests may not have arrived."""

    def __init__(self, url: str, token: str, *, timeout_ms: int, connect_timeout_ms: int) -> None:
        self._upstash = _Upstash(_address(url), _credential(token), timeout_ms, connect_timeout_ms)
        self.close: Callable[[], None] = weakref.finalize(self, self._upstash.close)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            settings.upstash_redis_rest_url,
            settings.upstash_redis_rest_token,
            timeout_ms=settings.redis_timeout_ms,
            connect_timeout_ms=settings.redis_connect_timeout_ms,
        )

    def run(
        self,
        script: Script,
        keys: Mapping[str, Key],
        args: Mapping[str, Argument] = {},
        *,
        more_keys: Sequence[Key] = (),
        more_args: Sequence[Argument] = (),
        before: Sequence[Sequence[Argument]] = (),
        idempotent: bool = False,
    ) -> Any:
        """Runs the script with keys and arguments by its header's names, the `more_…` ones after them.

        `before` are plain commands executed ahead of it in the same round trip; an error of one is raised.
        """
        return self.run_after(
            before, script, keys, args, more_keys=more_keys, more_args=more_args, idempotent=idempotent
        )[-1]

    def run_after(
        self,
        before: Sequence[Sequence[Argument]],
        script: Script,
        keys: Mapping[str, Key],
        args: Mapping[str, Argument] = {},
        *,
        more_keys: Sequence[Key] = (),
        more_args: Sequence[Argument] = (),
        idempotent: bool = False,
    ) -> list[Any]:
        """As `run`, but returns the results of the commands before it, too; the script's is the last."""
        all_keys = [*_in_order(script, script.key_names, keys), *more_keys]
        rest = [len(all_keys), *all_keys, *_in_order(script, script.argument_names, args), *more_args]
        by_digest = ["EVALSHA", script.sha1, *rest]
        *earlier, result = self._tried([*before, by_digest], idempotent)
        _all_good(earlier)
        if isinstance(result, CommandRefused) and result.kind == "NOSCRIPT":
            result = self.call("EVAL", script.source, *rest, idempotent=idempotent)
        return [*earlier, *_all_good([result])]

    def _tried(self, commands: Sequence[Sequence[Argument]], idempotent: bool) -> list[Any]:
        """Results, a refusal in place of one where a command was refused."""
        if len(commands) > 1:
            return self.pipeline(commands, idempotent=idempotent)
        try:
            return [self.call(*commands[0], idempotent=idempotent)]
        except CommandRefused as refused:
            return [refused]

    def call(self, *command: Argument, idempotent: bool = False) -> Any:
        """Executes one command."""
        wire = _wire(command)
        return self._attempt(lambda: self._upstash.execute(wire), idempotent)

    def pipeline(self, commands: Sequence[Sequence[Argument]], *, idempotent: bool = False) -> list[Any]:
        """Executes the commands in order in one round trip; where one fails its item is a CommandRefused."""
        if not commands:
            return []
        wire = [_wire(command) for command in commands]
        results: list[Any] = self._attempt(lambda: self._upstash.execute_many(wire), idempotent)
        return results

    def _attempt(self, send: Callable[[], _T], idempotent: bool) -> _T:
        try:
            return _tried_again(send, idempotent)
        except (Unreachable, OutcomeUnknown):
            self.failures += 1
            raise


class _Upstash(PublishedRedis):
    """The client as published, without its constructor, which would make the HTTP client that we replace."""

    def __init__(self, url: str, token: str, timeout_ms: int, connect_timeout_ms: int) -> None:
        self._url = url
        self._read_your_writes = True
        self._sync_token = ""
        self._allow_telemetry = True
        self._headers = make_headers(token, "base64", self._allow_telemetry)
        self._http = Transport(timeout_ms, connect_timeout_ms, self._update_sync_token)  # type: ignore[assignment]

    def execute_many(self, commands: Sequence[list[str]]) -> list[Any]:
        """One pipeline; its items are results or CommandRefused."""
        batch = self.pipeline()
        for command in commands:
            batch.execute(command)
        return list(batch.exec())


def _address(url: str) -> str:
    url = url.strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidSetting("UPSTASH_REDIS_REST_URL must be the database's http(s) address")
    return url.rstrip("/")


def _credential(token: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidSetting("UPSTASH_REDIS_REST_TOKEN holds characters that no token has")
    return token


def _wire(command: Sequence[Argument]) -> list[str]:
    """Text only.  The name in lower case keeps `upstash_redis` from casting the result."""
    name, *arguments = map(_text, command)
    return [name.lower(), *arguments]


def _text(argument: Argument) -> str:
    if isinstance(argument, str):
        return argument
    if isinstance(argument, int):
        return str(int(argument))
    if isinstance(argument, Key):
        return str(argument)
    raise TypeError(f"not a command argument: {argument!r}")


def _in_order(script: Script, names: Sequence[str], given: Mapping[str, _T]) -> list[_T]:
    if given.keys() != set(names):
        missing, unknown = set(names) - given.keys(), given.keys() - set(names)
        raise TypeError(f"script {script.name}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return [given[name] for name in names]


def _tried_again(send: Callable[[], _T], idempotent: bool) -> _T:
    try:
        return send()
    except Unreachable as error:
        if error.http_status is not None:
            raise
    except OutcomeUnknown:
        if not idempotent:
            raise
    return send()


def _all_good(results: Sequence[Any]) -> Sequence[Any]:
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results
