"""The parse function and the file function as Lambda loads them: from the environment."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from shared.errors import Unavailable
from shared.files import life
from shared.settings import settings
from tests.files.conftest import Desk, browser, desk, s3
from tests.functions.http_events import FunctionClient

__all__ = ["browser", "desk", "s3"]


@pytest.fixture
def load(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator["Loader"]:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    for name in (
        "upstash_redis_rest_url",
        "upstash_redis_rest_token",
        "files_bucket",
        "aws_endpoint_url_s3",
        "aws_region",
    ):
        monkeypatch.setenv(name.upper(), getattr(desk.settings, name))
    settings.cache_clear()
    loader = Loader()
    yield loader
    loader.close()
    settings.cache_clear()


class Loader:
    """Loads `functions.<name>.handler` afresh and closes what it opened."""

    def __init__(self) -> None:
        self._loaded: list[ModuleType] = []

    def __call__(self, name: str) -> ModuleType:
        sys.modules.pop(f"functions.{name}.handler", None)
        module = importlib.import_module(f"functions.{name}.handler")
        self._loaded.append(module)
        return module

    def close(self) -> None:
        for module in self._loaded:
            module.filing.bucket.close()
            module.filing.realtime.redis.close()
            sys.modules.pop(module.__name__, None)


def event(*keys: str) -> dict[str, object]:
    return {"Records": [{"s3": {"object": {"key": key}}} for key in keys]}


def test_the_handler_parses_what_s3_names(desk: Desk, load: Loader) -> None:
    files = [desk.upload(b"a,b\n1,2\n") for _ in range(2)]
    load("parse").handler(event(*(f"quarantine/{desk.scope.label}/{file.id}" for file in files)), None)
    for file in files:
        held = desk.filing.store.load(desk.scope, file.id)
        assert held is not None
        assert held.parse.status == "ready"


def test_one_bad_record_does_not_keep_the_others_from_being_parsed(desk: Desk, load: Loader) -> None:
    file = desk.upload(b"a,b\n1,2\n")
    loaded = load("parse")
    whole = loaded.arrivals.arrived

    def arrived(scope: object, file_id: str, cause: str) -> None:
        if file_id == "0" * 32:
            raise Unavailable("S3 is away")
        whole(scope, file_id, cause)

    loaded.arrivals.arrived = arrived
    keys = [f"quarantine/{desk.scope.label}/{file_id}" for file_id in ("0" * 32, file.id)]
    with pytest.raises(Unavailable):
        loaded.handler(event(*keys), None)
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    assert held.parse.status == "ready"


def test_lambdas_next_attempt_takes_over_and_a_duplicate_does_not(desk: Desk, load: Loader) -> None:
    file = desk.upload(b"a,b\n1,2\n")
    held = desk.filing.intake.arrived(desk.scope, file.id)
    assert held is not None
    started = life.parse_started(held, desk.filing.store.now_ms(), "1")
    assert started is not None
    assert desk.filing.store.change(desk.scope, held, started)
    handler = load("parse").handler
    for request_id, status in (("2", "running"), ("1", "ready")):
        handler(event(f"quarantine/{desk.scope.label}/{file.id}"), SimpleNamespace(aws_request_id=request_id))
        held = desk.filing.store.load(desk.scope, file.id)
        assert held is not None
        assert held.parse.status == status


def test_s3s_test_event_is_accepted(load: Loader) -> None:
    load("parse").handler({"Service": "Amazon S3", "Event": "s3:TestEvent"}, None)


def test_the_file_function_answers(load: Loader) -> None:
    client = FunctionClient(load("file").handler)
    assert client.get("/files").status_code == 401
    assert client.get("/files/").status_code == 404
    assert client.request("PUT", "/files").status_code == 405
