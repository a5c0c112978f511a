"""The credentials Lambda puts into the environment, read without boto3 (whose import is slow to start)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


class NoCredentials(Exception):
    """The environment holds no AWS credentials."""


@dataclass(frozen=True)
class Credentials:
    """`session_token` is empty for long-lived keys; a Lambda role always has one."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Credentials":
        """Raises NoCredentials when the access key or the secret is absent or empty."""
        access_key = environ.get("AWS_ACCESS_KEY_ID", "")
        secret_key = environ.get("AWS_SECRET_ACCESS_KEY", "")
        if not access_key or not secret_key:
            raise NoCredentials("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set")
        return cls(access_key, secret_key, environ.get("AWS_SESSION_TOKEN", ""))
