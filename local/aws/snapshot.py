"""What moto's S3 holds, to and from one file, because moto keeps everything in memory.

The file is a pickle: it is only ever read from the data directory its owner passed.
"""

import os
import pickle
from pathlib import Path

import moto
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import S3Backend, s3_backends

_PARTITION = "aws"


def save(file: Path) -> None:
    """Writes buckets, objects, open multipart uploads and tags; the old file stays until the new one is whole."""
    backend = _backend()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    with fresh.open("wb") as target:
        pickle.dump(moto.__version__, target, pickle.HIGHEST_PROTOCOL)
        pickle.dump((backend.buckets, backend.tagger), target, pickle.HIGHEST_PROTOCOL)
    os.replace(fresh, file)


def restore(file: Path) -> None:
    """Loads what `save` wrote; nothing when there is no such file."""
    if not file.exists():
        return
    backend = _backend()
    with file.open("rb") as source:
        if (version := pickle.load(source)) != moto.__version__:  # noqa: S301
            raise SystemExit(f"{file} was written by moto {version}, this is {moto.__version__}: remove it")
        backend.buckets, backend.tagger = pickle.load(source)  # noqa: S301
    for name in backend.buckets:
        s3_backends.bucket_accounts[name] = (_PARTITION, DEFAULT_ACCOUNT_ID)


def _backend() -> S3Backend:
    return s3_backends[DEFAULT_ACCOUNT_ID][_PARTITION]
