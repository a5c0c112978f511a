"""The issuer for synchronous code: tests of everything that verifies tokens."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jwt

from local.issuer.accounts import Json
from local.issuer.keys import SigningKeys
from local.issuer.project import ProjectSettings
from local.issuer.server import SupabaseIssuer


class ThreadedIssuer:
    """A `SupabaseIssuer` (`.server`) on a loop of its own, as a context manager."""

    def __init__(self, settings: ProjectSettings | None = None, state_path: Path | None = None) -> None:
        self.server = SupabaseIssuer(state_path, settings=settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="supabase-issuer", daemon=True)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def anon_key(self) -> str:
        return self.server.anon_key

    @property
    def service_key(self) -> str:
        return self.server.service_key

    @property
    def keys(self) -> SigningKeys:
        """`keys.current.private`, `.current.kid`, `.trusted`, `.legacy_secret`, `rotate()`, `revoke(kid)`."""
        return self.server.keys

    def add_user(
        self,
        email: str,
        password: str = "password",  # noqa: S107 (a user of a loopback test server)
        app_metadata: Json | None = None,
    ) -> Json:
        """A confirmed user, as the User object."""
        return self._call(lambda: self.server.add_user(email, password, app_metadata))

    def sign_in(self, email: str) -> Json:
        """A real session of an existing user: `access_token`, `refresh_token`, `expires_at`, `user`."""
        return self._call(lambda: self.server.session_for(email))

    def mint(
        self,
        *,
        omit: Iterable[str] = (),
        header: Json | None = None,
        key: Any = None,
        algorithm: str | None = None,
        **claims: object,
    ) -> str:
        """A token of a made-up user, with `claims` replaced or added and those in `omit` left out.

        Signed by the current key and named by its `kid`, unless `key` and `algorithm` say otherwise;
        `header` adds or replaces header members (None removes one). It passes `get_claims`, not `GET /user`.
        """
        body = {**self.server.project.tokens.sample_claims(), **claims}
        for name in omit:
            body.pop(name, None)
        legacy = self.keys.mode == "HS256"
        named: Json = {} if legacy or key is not None else {"kid": self.keys.current.kid}
        if key is None:
            key = self.keys.legacy_secret if legacy else self.keys.current.private
        used = algorithm or self.keys.mode
        headers = {name: value for name, value in {**named, **(header or {})}.items() if value is not None}
        return jwt.encode(body, key, used, headers=headers)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(30)
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Callable[[], Json]) -> Json:
        async def on_loop() -> Json:
            return work()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(30)
