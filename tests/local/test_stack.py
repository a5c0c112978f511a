"""The whole stack in one process: everything wired as declared, kept when asked, gone afterwards."""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from local.datadir import InUse
from local.demo_users import DEMO_USERS
from local.ports import Ports, PortTaken
from local.real_services import RealServices
from local.refused import Refused
from local.stack import StackOptions
from local.threaded import ThreadedStack
from local.tokens import SignInRefused, access_token
from tests.support.processes import NEEDS_PROC, descendants, soon

ROOT = Path(__file__).parents[2]
KEYS = [
    *("http", "websocket", "connections", "supabase_url", "supabase_anon_key", "supabase_service_key"),
    *("redis_rest_url", "redis_rest_token", "s3", "sqs", "runtime_pids"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small service; its handlers are this repository's."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "serverless.yml").symlink_to(ROOT / "tests/local/handlers/serverless.yml")
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("record") / "events"


@pytest.fixture(scope="module")
def stack(project: Path, record: Path) -> Iterator[ThreadedStack]:
    options = StackOptions(project=project, schedule=False, environment={"RECORD_TO": str(record)})
    with ThreadedStack(options) as running:
        yield running


def client(stack: ThreadedStack, service: str) -> Any:
    address = stack.addresses["s3" if service == "s3" else "sqs"]
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    style = Config(s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=address, config=style)  # type: ignore[call-overload]


def shown(stack: ThreadedStack) -> Any:
    return httpx.get(f"{stack.addresses['http']}/show/it", timeout=30).raise_for_status().json()


def recorded(path: Path, function: str) -> list[Any]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [event for name, event in map(json.loads, lines) if name == f"small-local-{function}"]


def redis(addresses: dict[str, Any], *command: str) -> Any:
    headers = {"Authorization": f"Bearer {addresses['redis_rest_token']}"}
    answer = httpx.post(addresses["redis_rest_url"], json=[*command], headers=headers, timeout=10)
    return answer.raise_for_status().json()["result"]


def test_functions_get_the_addresses_of_this_machine_and_nothing_that_they_do_not_declare(
    stack: ThreadedStack,
) -> None:
    environment = shown(stack)["environment"]
    assert environment["UPSTASH_REDIS_REST_URL"] == stack.addresses["redis_rest_url"]
    assert environment["UPSTASH_REDIS_REST_TOKEN"] == stack.addresses["redis_rest_token"]
    assert environment["SUPABASE_URL"] == stack.addresses["supabase_url"]
    assert environment["CONNECTIONS_ENDPOINT"] == stack.addresses["connections"]
    assert environment["JOBS_URL"].startswith(stack.addresses["sqs"])
    assert environment["AWS_ENDPOINT_URL_S3"] == stack.addresses["s3"]
    assert "CURSOR_SECRET" not in environment


def test_a_description_has_the_promised_keys(stack: ThreadedStack) -> None:
    assert list(stack.addresses) == KEYS
    assert len(stack.addresses["runtime_pids"]) >= 3 * 6
    assert all(isinstance(pid, int) for pid in stack.addresses["runtime_pids"])


def test_the_gateway_answers_preflights_by_the_declared_cors(stack: ThreadedStack) -> None:
    headers = {"Origin": "https://app.test", "Access-Control-Request-Method": "GET"}
    answer = httpx.options(f"{stack.addresses['http']}/show/it", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://app.test"


def test_a_function_that_cannot_be_imported_harms_nobody_else(stack: ThreadedStack) -> None:
    assert httpx.get(f"{stack.addresses['http']}/broken", timeout=30).status_code == 500
    assert shown(stack)["path"] == "/show/it"


def open_socket(stack: ThreadedStack, query: str = "") -> ClientConnection:
    return connect(stack.addresses["websocket"] + query, open_timeout=30)


def test_a_socket_gets_answers_and_pushes(stack: ThreadedStack) -> None:
    with open_socket(stack) as client:
        client.send("hello")
        assert {str(client.recv(30))[:15], str(client.recv(30))[:15]} == {"pushed", "answer to hello"}


def test_connect_may_refuse(stack: ThreadedStack) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_socket(stack, "?no=thanks")
    assert refused.value.response.status_code == 403


def test_a_new_object_below_the_prefix_invokes_its_function(stack: ThreadedStack, record: Path) -> None:
    s3 = client(stack, "s3")
    for key in ("out/other.txt", "in/my file.txt"):
        s3.put_object(Bucket="small-files", Key=key, Body=b"text")
    soon(lambda: recorded(record, "take"))
    ((one,),) = [event["Records"] for event in recorded(record, "take")]
    assert (one["s3"]["object"]["key"], one["s3"]["object"]["size"]) == ("in/my+file.txt", 4)


def test_a_message_invokes_its_function(stack: ThreadedStack, record: Path) -> None:
    url = shown(stack)["environment"]["JOBS_URL"]
    client(stack, "sqs").send_message(QueueUrl=url, MessageBody="a job")
    soon(lambda: recorded(record, "work"))
    assert recorded(record, "work")[0]["Records"][0]["body"] == "a job"


def test_time_passes_for_schedules_when_a_test_says_so(stack: ThreadedStack, record: Path) -> None:
    assert recorded(record, "sweep") == []
    stack.tick()
    assert len(recorded(record, "sweep")) == 1


def written_pids(stack: ThreadedStack) -> set[int]:
    written = json.loads(stack.stack.data.pids.read_text())
    return {pid for pids in written.values() for pid in pids}


def test_sockets_outlive_the_death_of_every_worker(stack: ThreadedStack) -> None:
    with open_socket(stack) as client:
        before = [pid for pids in stack.pids().values() for pid in pids]
        for pid in before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        client.send("still there?")
        texts = {str(client.recv(60)), str(client.recv(60))}
        answer = next(text for text in texts if text != "pushed")
    assert answer.startswith("answer to still there?")
    assert int(answer.rpartition(" ")[2]) not in before
    assert shown(stack)["pid"] not in before
    soon(lambda: written_pids(stack).isdisjoint(before))


def test_demo_users_sign_in_with_their_tenant_and_permissions(stack: ThreadedStack) -> None:
    address, key = stack.addresses["supabase_url"], stack.addresses["supabase_anon_key"]
    for user in DEMO_USERS:
        token = access_token(address, key, user.email, "password")
        headers = {"apikey": key, "Authorization": f"Bearer {token}"}
        metadata = httpx.get(f"{address}/auth/v1/user", headers=headers).json()["app_metadata"]
        assert (metadata["tenant_id"], tuple(metadata["permissions"])) == (user.tenant, user.permissions)
    with pytest.raises(SignInRefused, match="Invalid login credentials"):
        access_token(address, key, "alice@acme.test", "wrong")


def test_what_was_stored_is_there_again_with_a_data_directory(project: Path, tmp_path: Path) -> None:
    options = StackOptions(project=project, data_dir=tmp_path / "data", workers=1, schedule=False)
    with ThreadedStack(options) as first:
        client(first, "s3").put_object(Bucket="small-files", Key="kept", Body=b"bytes")
        redis(first.addresses, "SET", "kept", "value")
        session = first.stack.issuer.session_for("alice@acme.test")
        with pytest.raises(InUse, match="in use by another stack"), ThreadedStack(options):
            pass
        assert redis(first.addresses, "GET", "kept") == "value"
    with ThreadedStack(options) as second:
        assert client(second, "s3").get_object(Bucket="small-files", Key="kept")["Body"].read() == b"bytes"
        assert redis(second.addresses, "GET", "kept") == "value"
        for key in ("supabase_anon_key", "supabase_service_key", "redis_rest_token"):
            assert second.addresses[key] == first.addresses[key]
        answer = httpx.post(
            f"{second.addresses['supabase_url']}/auth/v1/token?grant_type=refresh_token",
            json={"refresh_token": session["refresh_token"]},
            headers={"apikey": second.addresses["supabase_anon_key"]},
        )
        assert answer.status_code == 200


def test_a_taken_port_is_named_and_nothing_is_started(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        base = taken.getsockname()[1]
        complaint = rf"port {base} \(HTTP API\) is taken.*--port-base"
        with (
            pytest.raises(PortTaken, match=complaint),
            ThreadedStack(StackOptions(project=project, port_base=base)),
        ):
            pass


def test_ports_follow_each_other_from_the_base() -> None:
    assert Ports.from_base(4000) == Ports(http=4000, websocket=4001, supabase=4002, redis=4003, s3=4004, sqs=4005)
    assert Ports.from_base(0) == Ports()


def test_real_services_replace_the_local_ones_when_named(
    stack: ThreadedStack, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another stack's services stand for the real ones."""
    real = stack.addresses
    monkeypatch.setenv("TEST_SUPABASE_URL", real["supabase_url"] + "/")
    monkeypatch.setenv("TEST_SUPABASE_ANON_KEY", real["supabase_anon_key"])
    monkeypatch.setenv("TEST_UPSTASH_REDIS_REST_URL", real["redis_rest_url"])
    monkeypatch.setenv("TEST_UPSTASH_REDIS_REST_TOKEN", real["redis_rest_token"])
    with ThreadedStack(StackOptions(project=project, workers=1, schedule=False)) as other:
        environment = shown(other)["environment"]
        for name in ("SUPABASE_URL", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
            key = name.lower().removeprefix("upstash_")
            assert environment[name] == other.addresses[key] == real[key]
        assert other.addresses["supabase_anon_key"] == real["supabase_anon_key"]


@pytest.mark.parametrize("half", ["TEST_SUPABASE_URL", "TEST_UPSTASH_REDIS_REST_TOKEN"])
def test_half_of_a_real_service_is_refused(half: str) -> None:
    with pytest.raises(Refused, match=half):
        RealServices.from_env({half: "https://somewhere.test"})


@NEEDS_PROC
def test_a_start_that_fails_in_the_middle_leaves_nothing_running(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    before = descendants(os.getpid())
    with pytest.raises(OSError, match=r"127\.0\.0\.1"), ThreadedStack(StackOptions(project=project)):
        pass
    soon(lambda: descendants(os.getpid()) <= before)
