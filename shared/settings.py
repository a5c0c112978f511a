"""What operators can set, read from the environment once per cold start; README's table is generated from here."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints


class InvalidSetting(Exception):
    """An environment variable has a value that cannot be used; the message names it."""


def _setting(default: Any, about: str, secret: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"about": about, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Field `redis_timeout_ms` is read from `REDIS_TIMEOUT_MS`, and so on."""

    upstash_redis_rest_url: str = _setting("http://127.0.0.1:8079", "Upstash Redis REST address")
    upstash_redis_rest_token: str = _setting("", "Upstash Redis REST token", secret=True)
    redis_timeout_ms: int = _setting(2000, "give up on a Redis answer after, ms")
    redis_connect_timeout_ms: int = _setting(800, "give up on connecting to Redis after, ms")

    supabase_url: str = _setting("", "Supabase project address; tokens must be issued by it")
    supabase_jwt_secret: str = _setting("", "legacy HS256 secret of the project; empty refuses HS256", secret=True)
    tenant_claim: str = _setting("app_metadata.tenant_id", "claim with the tenant, dotted path")
    permissions_claim: str = _setting("app_metadata.permissions", "claim with the list of permissions, dotted path")
    tenants_claim: str = _setting("app_metadata.tenants", "claim {tenant: [permissions]} of users of several tenants")
    default_tenant: str = _setting("", "tenant of users without a tenant claim; empty refuses them")
    default_permissions: str = _setting("", "their permissions, comma separated")
    allow_tokenless_sockets: bool = _setting(True, "admit sockets that send their token in the first frame")

    connections_endpoint: str = _setting("", "address of @connections, stage included")
    lanes_queue_url: str = _setting("", "SQS queue of lanes to drain; empty drains inline only")
    files_bucket: str = _setting("", "S3 bucket of uploads and parsed results")
    subscription_secret: str = _setting(
        "", "what tenants' subscription secrets derive from, comma separated: first signs, any verifies", secret=True
    )
    cursor_secret: str = _setting("", "key that signs list cursors", secret=True)
    aws_region: str = _setting("us-east-1", "region of the queue, the bucket and @connections")
    aws_endpoint_url_s3: str = _setting("", "S3 address for local work")
    aws_endpoint_url_sqs: str = _setting("", "SQS address for local work")

    max_connections_per_tenant: int = _setting(10_000, "open sockets of one tenant")
    max_connections_per_user: int = _setting(50, "open sockets of one user")
    max_connections_per_address: int = _setting(1_000, "open sockets of one tenant from one source address")
    max_channels_per_connection: int = _setting(100, "subscriptions of one socket besides its user's channel")
    lane_size: int = _setting(1_000, "members of one delivery lane")
    inline_drain_ms: int = _setting(300, "longest a request works on others' deliveries, ms")
    send_timeout_ms: int = _setting(3_000, "give up on one @connections call after, ms")
    send_concurrency: int = _setting(64, "@connections calls in flight")

    max_session_bytes: int = _setting(65_536, "size of one session's data, bytes")
    max_sessions_per_tenant: int = _setting(100_000, "live sessions of one tenant")
    max_sessions_per_user: int = _setting(1_000, "live sessions of one user")
    max_file_bytes: int = _setting(1_073_741_824, "size of one uploaded file, bytes")
    max_files_per_tenant: int = _setting(100_000, "files of one tenant")
    max_file_bytes_per_tenant: int = _setting(1_099_511_627_776, "size of all files of one tenant, bytes")
    upload_ttl_seconds: int = _setting(900, "life of an upload URL, seconds")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises InvalidSetting for a value of the wrong type; absent variables keep their defaults."""
        hints = get_type_hints(cls)
        given = {
            field.name: _parsed(field.name.upper(), environ[field.name.upper()], hints[field.name])
            for field in dataclasses.fields(cls)
            if environ.get(field.name.upper(), "") != ""
        }
        return cls(**given)


def _parsed(name: str, text: str, kind: type) -> Any:
    try:
        return _as_bool(text) if kind is bool else kind(text)
    except ValueError as error:
        raise InvalidSetting(f"{name} must be {kind.__name__}, not {text!r}") from error


def _as_bool(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]


@cache
def settings() -> Settings:
    """The process's settings."""
    return Settings.from_env(os.environ)


def table() -> str:
    """README's table of the environment, as Markdown."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        shown = "secret" if field.metadata["secret"] else str(field.default)
        rows.append(f"| `{field.name.upper()}` | {f'`{shown}`' if shown else ''} | {field.metadata['about']} |")
    return "\n".join(rows)
