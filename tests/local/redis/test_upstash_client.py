"""The real `upstash-redis` client against the gateway, in both of its encodings."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from local.redis import ThreadedUpstash

LOCKING = "#!lua flags=allow-key-locking\n"


@pytest.fixture(params=["base64", None])
def client(upstash: ThreadedUpstash, request: pytest.FixtureRequest) -> Iterator[Redis]:
    with Redis(upstash.rest_url, upstash.token, rest_encoding=request.param, rest_retries=0) as made:
        yield made


def test_values_come_back_as_they_were_stored(client: Any, key: str) -> None:
    assert client.ping() == "PONG"
    assert client.set(key, "häß \U0001f6a6\n") is True
    assert client.get(key) == "häß \U0001f6a6\n"
    assert client.get(key + ":none") is None
    assert client.set(key, "x", nx=True) is False
    assert client.type(key) == "string"


def test_structures_keep_their_shape(client: Any, key: str) -> None:
    client.hset(key, values={"a": "1", "b": "2"})
    assert client.hgetall(key) == {"a": "1", "b": "2"}
    client.zadd(key + "z", {"m": 1.5, "n": 2})
    assert client.zrange(key + "z", 0, -1, withscores=True) == [("m", 1.5), ("n", 2.0)]
    entry = client.xadd(key + "s", "*", {"f": "v"})
    assert client.xrange(key + "s") == [[entry, ["f", "v"]]]


def test_a_failed_command_is_an_upstash_error(client: Any, key: str) -> None:
    client.set(key, "text")
    with pytest.raises(UpstashError, match="WRONGTYPE"):
        client.hget(key, "f")


def test_pipelines_and_transactions_answer_in_order(client: Any, key: str) -> None:
    assert client.pipeline().set(key, "1").incr(key).get(key).exec() == [True, 2, "2"]
    assert client.multi().incr(key).incr(key).exec() == [3, 4]


def test_a_script_with_the_key_locking_flag_runs_by_text_and_by_its_own_digest(client: Any, key: str) -> None:
    script = LOCKING + "return {redis.call('INCR', KEYS[1]), ARGV[1], false}"
    assert client.eval(script, keys=[key], args=["x"]) == [1, "x", None]
    digest = client.script_load(script)
    assert client.script_exists(digest) == [True]
    assert client.evalsha(digest, keys=[key], args=["y"]) == [2, "y", None]


def test_an_unknown_digest_is_a_noscript_error(client: Any) -> None:
    with pytest.raises(UpstashError, match=r"^NOSCRIPT"):
        client.evalsha("0" * 40, keys=[], args=[])


def test_a_key_locking_script_that_touches_an_undeclared_key_fails_as_upstash_does(client: Any, key: str) -> None:
    script = LOCKING + "return redis.call('SET', KEYS[1] .. ARGV[1], 'x')"
    assert client.eval(script, keys=[key], args=[""]) == "OK"
    with pytest.raises(UpstashError, match=f"Dynamic keys are not allowed.* Key was: {key}:more"):
        client.eval(script, keys=[key], args=[":more"])
    assert client.get(key + ":more") is None
    assert client.set(key + ":more", "plain commands are free again") is True


def test_the_connection_count_and_redis_py_see_the_same_server(
    client: Any, upstash: ThreadedUpstash, redis_direct: "redis.Redis", key: str
) -> None:
    with upstash.counting() as cost:
        client.eval(LOCKING + "redis.call('SET', KEYS[1], 'a') return redis.call('GET', KEYS[1])", keys=[key], args=[])
        client.pipeline().get(key).get(key).exec()
    assert (cost.commands, cost.round_trips) == (5, 2)
    assert redis_direct.get(key) == "a"
