"""The client on a real Valkey behind the real REST gateway."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import upstash_redis

from local.redis import ThreadedUpstash
from shared.settings import Settings
from shared.state.client import Redis
from shared.state.errors import CommandRefused, Unreachable
from shared.state.keys import Key
from shared.state.scripts import Script
from shared.tenant.scope import SCOPE_SEAL, TenantScope


@pytest.fixture(scope="module")
def store(upstash: ThreadedUpstash) -> Redis:
    return Redis.from_settings(
        Settings(upstash_redis_rest_url=upstash.rest_url, upstash_redis_rest_token=upstash.token)
    )


@pytest.fixture
def scope() -> TenantScope:
    return TenantScope(f"t{uuid.uuid4().hex[:12]}", SCOPE_SEAL)


@pytest.fixture
def increment(tmp_path: Path) -> Script:
    (tmp_path / "increment.lua").write_text(
        "-- increment: add to a counter\n-- KEYS counter\n-- ARGV by\nreturn redis.call('INCRBY', K.counter, A.by)\n"
    )
    return Script(tmp_path / "increment.lua")


@pytest.mark.parametrize("value", ["", "OK", "T0s=", "häß \U0001f6a6\n", "\x00", "1", '{"a":[]}'])
def test_text_comes_back_as_it_was_stored(store: Redis, scope: TenantScope, value: str) -> None:
    key = scope.key("k")
    assert store.call("SET", key, value) == "OK"
    assert store.call("GET", key) == value
    assert store.call("TYPE", key) == "string"


def test_integers_nil_and_nested_lists_keep_their_shape(store: Redis, scope: TenantScope) -> None:
    log = scope.key("log")
    assert store.call("GET", scope.key("none")) is None
    assert store.call("XADD", log, "1-0", "f", "OK") == "1-0"
    assert store.call("XRANGE", log, "-", "+") == [["1-0", ["f", "OK"]]]
    assert store.call("HSET", scope.key("h"), "a", 1, "b", 2) == 2
    assert store.call("HGETALL", scope.key("h")) == ["a", "1", "b", "2"]


def test_a_script_runs_by_text_once_and_by_digest_afterwards(
    upstash: ThreadedUpstash, store: Redis, scope: TenantScope, increment: Script
) -> None:
    keys = {"counter": scope.key("n")}
    before = upstash.round_trips
    assert [store.run(increment, keys, {"by": 2}) for _ in range(3)] == [2, 4, 6]
    assert upstash.round_trips - before == 4


def test_commands_before_a_script_share_its_round_trip(
    upstash: ThreadedUpstash, store: Redis, scope: TenantScope, increment: Script
) -> None:
    keys = {"counter": scope.key("n")}
    store.run(increment, keys, {"by": 0})
    before = upstash.round_trips
    assert store.run(increment, keys, {"by": 1}, before=[["SET", scope.key("n"), 41]]) == 42
    assert upstash.round_trips - before == 1


def test_a_script_may_touch_the_keys_it_was_given_and_no_other(
    store: Redis, scope: TenantScope, tmp_path: Path
) -> None:
    (tmp_path / "stray.lua").write_text("-- ARGV name\nreturn redis.call('GET', A.name)\n")
    with pytest.raises(CommandRefused):
        store.run(Script(tmp_path / "stray.lua"), {}, {"name": str(scope.key("other"))})


def test_one_failing_command_of_a_pipeline_leaves_the_others(store: Redis, scope: TenantScope) -> None:
    key: Key = scope.key("k")
    done, failed, last = store.pipeline([["SET", key, "v"], ["INCR", key], ["GET", key]])
    assert (done, last) == ("OK", "v")
    assert isinstance(failed, CommandRefused)


def test_a_wrong_token_is_told_apart_on_every_road(upstash: ThreadedUpstash) -> None:
    stranger = Redis(upstash.rest_url, "wrong", timeout_ms=2000, connect_timeout_ms=800)
    for attempt in (lambda: stranger.call("GET", "k"), lambda: stranger.pipeline([["GET", "k"]])):
        with pytest.raises(Unreachable) as caught:
            attempt()
        assert caught.value.http_status == 401


def test_threads_share_a_client_without_mixing_their_answers(store: Redis, scope: TenantScope) -> None:
    def own_answers(number: int) -> bool:
        key = scope.key("k", str(number))
        return all(
            store.pipeline([["SET", key, f"{number}.{i}"], ["GET", key]])[1] == f"{number}.{i}" for i in range(30)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(own_answers, range(8)))


def test_the_client_holds_all_that_the_published_constructor_makes(store: Redis, upstash: ThreadedUpstash) -> None:
    with upstash_redis.Redis(upstash.rest_url, upstash.token) as stock:
        made_lazily = {"_json", "_search"}
        assert vars(stock).keys() - made_lazily == vars(store._upstash).keys() - made_lazily
        assert isinstance(store._upstash, upstash_redis.Redis)
