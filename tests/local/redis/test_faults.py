"""Injected faults do to the caller, and to the data, what the real ones do."""

import contextlib
import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from local.redis import Fault, ThreadedUpstash
from tests.local.redis.rest_caller import RestCaller


@pytest.fixture
def faulty(upstash: ThreadedUpstash) -> Iterator[ThreadedUpstash]:
    yield upstash
    upstash.faults.clear()


def test_the_stock_client_executes_twice_when_an_executed_request_is_answered_502(
    faulty: ThreadedUpstash, key: str
) -> None:
    faulty.faults.inject(Fault.BAD_GATEWAY_AFTER)
    with Redis(faulty.rest_url, faulty.token, rest_retries=1, rest_retry_interval=0) as client:
        assert client.incr(key) == 2


@pytest.mark.parametrize(
    ("fault", "executed"),
    [(Fault.DROP, "0"), (Fault.DROP_AFTER, "1"), (Fault.BAD_GATEWAY, "0"), (Fault.EMPTY_AFTER, "1")],
)
def test_a_fault_happens_before_or_after_execution(
    faulty: ThreadedUpstash, rest: RestCaller, key: str, fault: Fault, executed: str
) -> None:
    rest.send(["SET", key, "0"])
    faulty.faults.inject(fault, when=lambda commands: commands[0][0] == b"INCR")
    try:
        answer = rest.send(["INCR", key])
        assert answer.body == b"" or answer.status == 502
    except http.client.RemoteDisconnected:
        assert fault in (Fault.DROP, Fault.DROP_AFTER)
    assert rest.send(["GET", key]).json == {"result": executed}


@pytest.mark.parametrize(("fault", "executed"), [(Fault.HANG, 0), (Fault.HANG_AFTER, 1)])
def test_a_hanging_request_hangs_nobody_else(
    faulty: ThreadedUpstash, rest: RestCaller, key: str, fault: Fault, executed: int
) -> None:
    hanging = RestCaller(faulty)
    hanging.timeout(0.2)
    with pytest.raises(TimeoutError):
        hanging.send(["INCR", key], headers={"x-local-fault": fault.value})
    assert rest.send(["EXISTS", key]).json == {"result": executed}
    hanging.close()


def test_a_used_up_quota_is_an_error_the_client_can_read(faulty: ThreadedUpstash, key: str) -> None:
    faulty.faults.inject(Fault.QUOTA, times=None)
    with (
        Redis(faulty.rest_url, faulty.token, rest_retries=0) as client,
        pytest.raises(UpstashError, match="max requests limit exceeded"),
    ):
        client.get(key)


def test_the_script_cache_is_lost_in_the_middle(faulty: ThreadedUpstash, rest: RestCaller, key: str) -> None:
    digest = rest.send(["SCRIPT", "LOAD", "#!lua flags=allow-key-locking\nreturn 1"]).json["result"]
    faulty.faults.scripts_lost_after = 1
    call = ["EVALSHA", digest, "1", key]
    assert rest.send(call).json == {"result": 1}
    assert rest.send(call).json["error"].startswith("NOSCRIPT")
    assert rest.send(["SCRIPT", "EXISTS", digest]).json == {"result": [0]}


def test_reads_without_the_latest_sync_token_are_stale(faulty: ThreadedUpstash, rest: RestCaller, key: str) -> None:
    rest.send(["SET", key, "old"])
    with faulty.stale_reads():
        written = rest.send(["SET", key, "new"]).headers["Upstash-Sync-Token"]
        assert rest.send(["GET", key]).json == {"result": "old"}
        assert rest.send([["GET", key]], "/pipeline").json == [{"result": "old"}]
        assert rest.send(["GET", key], headers={"Upstash-Sync-Token": written}).json == {"result": "new"}
        assert rest.send(["EVAL", "return redis.call('GET', KEYS[1])", "1", key]).json == {"result": "new"}
        with Redis(faulty.rest_url, faulty.token, rest_retries=0) as client:
            client.set(key, "newest")
            assert client.get(key) == "newest"
    assert rest.send(["GET", key]).json == {"result": "newest"}


def test_an_endless_script_does_not_keep_the_gateway_from_answering(
    upstash: ThreadedUpstash, rest: RestCaller, redis_direct: "redis.Redis"
) -> None:
    redis_direct.config_set("busy-reply-threshold", 10)
    busy = RestCaller(upstash)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(busy.send, ["EVAL", "while true do end", "0"])
        killed = False
        while not killed:
            assert rest.send(["PING"], authorized=False).status == 401
            with contextlib.suppress(redis.ResponseError):
                killed = bool(redis_direct.script_kill())
        assert "killed" in stuck.result().json["error"]
    busy.close()
    redis_direct.config_set("busy-reply-threshold", 5000)
