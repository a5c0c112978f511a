"""The file layer on a real Valkey and a real S3 server; clients are plain HTTP requests."""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import msgspec
import pytest

from local.aws import ThreadedAws
from local.redis import ThreadedUpstash
from shared.auth.identity import Identity, Permission
from shared.errors import NotFound
from shared.files.arrivals import Arrivals
from shared.files.filing import Filing
from shared.files.model import File
from shared.files.uploads import NewFile
from shared.realtime.realtime import Realtime
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.connections import RecordingConnections


@dataclass
class Desk:
    """One tenant's files in one environment; `readers` holds who may read which session."""

    settings: Settings
    scope: TenantScope
    http: httpx.Client
    sent: RecordingConnections
    readers: set[tuple[str, str]] = field(default_factory=set)

    @cached_property
    def filing(self) -> Filing:
        realtime = Realtime.from_settings(self.settings)
        return Filing(realtime, lambda caller, session: (caller.user, session) in self.readers, self.join)

    def join(self, caller: Identity, session: str) -> None:
        """Who may read a session may put files into it, here."""
        if (caller.user, session) not in self.readers:
            raise NotFound

    def identity(self, user: str = "ann", *permissions: Permission) -> Identity:
        granted = frozenset(permissions or (Permission.READ, Permission.WRITE, Permission.EXECUTE))
        now = int(time.time())
        return Identity(self.scope, user, granted, f"of-{user}", now - 1, now + 3600, "token")

    def upload(self, content: bytes, name: str = "data.csv", **members: object) -> File:
        """Promises a file and puts its content into S3, as a client does."""
        new = NewFile(**{"name": name, "content_type": "text/csv", "size": len(content), **members})  # type: ignore[arg-type]
        file, request = self.filing.uploads.create(self.identity(), new, self.new_id())
        answer = self.http.put(request["url"], headers=request["headers"], content=content)
        assert answer.status_code == 200, answer.text
        return file

    def arrive(self, file: File) -> File:
        """What `parse` does on S3's event."""
        Arrivals(self.filing).arrived(self.scope, file.id)
        held = self.filing.store.load(self.scope, file.id)
        assert held is not None
        return held

    def arrive_elsewhere(self, file: File) -> None:
        """The same in a Lambda environment of its own."""
        other = Desk(self.settings, self.scope, self.http, self.sent, self.readers)
        other.arrive(file)
        other.close()

    def close(self) -> None:
        self.filing.bucket.close()
        self.filing.realtime.redis.close()

    @staticmethod
    def new_id() -> str:
        return secrets.token_hex(16)

    def events(self, channel: str) -> list[str]:
        """Types of the events in a channel's log."""
        position = self.filing.realtime.channels.history(self.scope, channel, limit=-1)
        return [msgspec.json.decode(f"{{{body}}}")["data"]["type"] for _, body in position.publications]


@pytest.fixture(scope="session")
def s3(aws: ThreadedAws) -> Iterator[Any]:
    with closing(aws.client("s3")) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture
def desk(
    upstash: ThreadedUpstash, aws: ThreadedAws, s3: Any, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", aws.session_token)
    bucket = f"files-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=bucket)
    with RecordingConnections() as sent:
        settings = Settings(
            upstash_redis_rest_url=upstash.rest_url,
            upstash_redis_rest_token=upstash.token,
            connections_endpoint=sent.url,
            files_bucket=bucket,
            aws_endpoint_url_s3=aws.s3_url,
            aws_region=aws.region,
        )
        desk = Desk(settings, TenantScope(f"t{secrets.token_hex(6)}", SCOPE_SEAL), browser, sent)
        yield desk
        desk.close()
