"""The data directory of a stack: what it keeps from run to run, and that one stack at a time uses it."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO

from local.refused import Refused

_KEYS = "keys.json"


class InUse(Refused):
    """Another stack works on this directory."""


class DataDirectory:
    """`lasting` is False for a temporary one, where Redis and S3 write nothing to disk."""

    def __init__(self, path: Path, lasting: bool) -> None:
        self.path, self.lasting = path, lasting
        self._lock: IO[str] | None = None
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"nothing can be kept in {path}: {error.strerror}") from error

    def acquire(self) -> None:
        """`InUse` if another stack has it; the kernel releases it, however this process ends."""
        lock = (self.path / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise InUse(f"{self.path} is in use by another stack") from None
        self._lock = lock

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def keys(self) -> dict[str, str]:
        """`anon`, `service`, `redis` and `cursor`: made up once, the same on every later run."""
        file = self.path / _KEYS
        if file.exists():
            return {name: str(key) for name, key in json.loads(file.read_text()).items()}
        keys = {
            "anon": f"sb_publishable_{secrets.token_urlsafe(22)}",
            "service": f"sb_secret_{secrets.token_urlsafe(22)}",
            "redis": secrets.token_urlsafe(24),
            "cursor": secrets.token_urlsafe(32),
        }
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump(keys, opened)
        return keys

    @property
    def redis(self) -> Path | None:
        return self.path / "redis" if self.lasting else None

    @property
    def objects(self) -> Path | None:
        return self.path / "s3" if self.lasting else None

    @property
    def issuer(self) -> Path | None:
        return self.path / "issuer.json" if self.lasting else None

    @property
    def log(self) -> Path:
        return self.path / "functions.log"

    @property
    def pids(self) -> Path:
        return self.path / "pids.json"
