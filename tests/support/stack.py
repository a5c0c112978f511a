"""The running local stack as tests see it: its addresses, its users' tokens, and its workers to kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from supabase import create_client

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "password"
ALICE, AMIR, BOB = "alice@acme.test", "amir@acme.test", "bob@globex.test"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Stack:
    """What `traffic-cop up --json` said, and where its data directory is."""

    http: str
    websocket: str
    connections: str
    supabase_url: str
    supabase_anon_key: str
    supabase_service_key: str
    redis_rest_url: str
    redis_rest_token: str
    s3: str
    sqs: str
    runtime_pids: list[int]
    data: Path

    def token(self, email: str, password: str = PASSWORD) -> str:
        """A fresh access token, through the real supabase client."""
        with closing(create_client(self.supabase_url, self.supabase_anon_key).auth) as auth:
            session = auth.sign_in_with_password({"email": email, "password": password}).session
        assert session is not None
        return session.access_token

    def add_user(self, email: str, app_metadata: dict[str, Any]) -> str:
        """A new confirmed user's token."""
        with closing(create_client(self.supabase_url, self.supabase_service_key).auth) as auth:
            auth.admin.create_user(
                {"email": email, "password": PASSWORD, "email_confirm": True, "app_metadata": app_metadata}
            )
        return self.token(email)

    def api(self, token: str) -> httpx.Client:
        """HTTP as the user of the token."""
        return httpx.Client(base_url=self.http, headers={"authorization": f"Bearer {token}"}, timeout=30)

    def worker_pids(self) -> list[int]:
        """The Lambda workers that run now."""
        found = json.loads((self.data / "pids.json").read_text())
        return [pid for pids in found.values() for pid in pids] if isinstance(found, dict) else list(found)

    def kill_workers(self) -> int:
        """`kill -9` to every Lambda worker; returns how many there were."""
        pids = self.worker_pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(pids)


@contextmanager
def running_stack(data: Path, *options: str) -> Iterator[Stack]:
    """Starts `traffic-cop up` on free ports and stops it."""
    command = [sys.executable, "-m", "local", "up", "--json", "--port-base", "0", "--data", str(data), *options]
    with (data / "stderr.log").open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (data / "stderr.log").read_text()
            yield Stack(**json.loads(line), data=data)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            finally:
                if process.stdout is not None:
                    process.stdout.close()


def eventually(look: Callable[[], _T], wanted: Callable[[_T], bool], within_s: float = 15.0) -> _T:
    """What `look` finds once it is as wanted; the last finding when time is up, for the assertion to show."""
    until = time.monotonic() + within_s
    while not wanted(found := look()) and time.monotonic() < until:
        time.sleep(0.05)
    return found
