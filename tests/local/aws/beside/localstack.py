"""An S3 that others wrote: LocalStack from PyPI, in a virtual environment and a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

VERSION: Final = "4.9.2"
# Later versions need Python 3.12, and this one finds no plugins beside newer libraries (facts: files-sessions §5.4).
_PACKAGES: Final = (
    f"localstack-core[base-runtime]=={VERSION}",
    *("cbor2<5.7", "cryptography==44.0.3", "joserfc<1.7", "moto-ext", "pyopenssl==25.0.0", "service_identity"),
)
_SETTINGS: Final = {
    "DISABLE_EVENTS": "1",
    "DNS_ADDRESS": "0",
    # The default server listens to the whole network.
    "GATEWAY_SERVER": "hypercorn",
    "S3_SKIP_SIGNATURE_VALIDATION": "0",
    "SERVICES": "s3",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "USE_SSL": "0",
}
# Where it keeps objects is no setting.
_RUN: Final = """
import sys
from localstack.services.s3 import provider
provider.DEFAULT_S3_TMP_DIR = sys.argv[1]
from localstack.runtime.main import main
main()
"""
_START_SECONDS: Final = 60


@contextmanager
def localstack(folder: Path) -> Iterator[str]:
    """Its address, while it runs; everything it writes goes to `folder`."""
    python = _installed(folder / "venv")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    own = {"HOME": str(folder), "TMPDIR": str(folder), "LOCALSTACK_VOLUME_DIR": str(folder / "volume")}
    environment = {"PATH": os.environ["PATH"], "GATEWAY_LISTEN": address, **_SETTINGS, **own}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-c", _RUN, folder / "objects"], env=environment, cwd=folder, stdout=log, stderr=log
        )
        try:
            _wait_for(f"http://{address}/_localstack/health", process, folder / "log")
            yield f"http://{address}"
        finally:
            _stop(process)


def _installed(venv: Path) -> Path:
    python = venv / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *_PACKAGES], check=True)
    return python


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"LocalStack did not start:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
