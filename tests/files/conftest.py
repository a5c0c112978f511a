"""The file layer on a real Valkey and a real S3 server; clients are plain HTTP requests."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from local.redis import ThreadedUpstash
from shared.auth.identity import Identity, Permission
from shared.files.arrivals import Arrivals
from shared.files.filing import Filing
from shared.files.model import File
from shared.files.uploads import NewFile
from shared.realtime.realtime import Realtime
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.connections import RecordingConnections


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass
class Desk:
    """One tenant's files in one environment; `readers` holds who may read which session."""

    filing: Filing
    scope: TenantScope
    http: httpx.Client
    readers: set[tuple[str, str]] = field(default_factory=set)

    def identity(self, user: str = "ann", *permissions: Permission) -> Identity:
        granted = frozenset(permissions or (Permission.READ, Permission.WRITE, Permission.EXECUTE))
        now = int(time.time())
        return Identity(self.scope, user, granted, f"of-{user}", now - 1, now + 3600, "token")

    def upload(self, content: bytes, name: str = "data.csv", **members: object) -> File:
        """Promises a file and puts its content into S3, as a client does."""
        new = NewFile(**{"name": name, "content_type": "text/csv", "size": len(content), **members})  # type: ignore[arg-type]
        file, request = self.filing.uploads.create(self.identity(), new)
        answer = self.http.put(request["url"], headers=request["headers"], content=content)
        assert answer.status_code == 200, answer.text
        return file

    def arrive(self, file: File) -> File:
        """What `parse` does on S3's event."""
        Arrivals(self.filing).arrived(self.scope, file.id)
        held = self.filing.store.load(self.scope, file.id)
        assert held is not None
        return held

    def events(self, channel: str) -> list[str]:
        """Types of the events in a channel's log."""
        position = self.filing.realtime.channels.history(self.scope, channel, limit=-1)
        import msgspec

        return [msgspec.json.decode(f"{{{body}}}")["data"]["type"] for _, body in position.publications]


@pytest.fixture
def desk(upstash: ThreadedUpstash, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    bucket = f"files-{secrets.token_hex(6)}"
    boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1").create_bucket(Bucket=bucket)
    with RecordingConnections() as sent, httpx.Client() as http:
        settings = Settings(
            upstash_redis_rest_url=upstash.rest_url,
            upstash_redis_rest_token=upstash.token,
            connections_endpoint=sent.url,
            files_bucket=bucket,
            aws_endpoint_url_s3=s3_url,
        )
        readers: set[tuple[str, str]] = set()
        filing = Filing(Realtime.from_settings(settings), lambda who, session: (who.user, session) in readers)
        yield Desk(filing, TenantScope(f"t{secrets.token_hex(6)}", SCOPE_SEAL), http, readers)
