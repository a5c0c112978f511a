"""The gateway's HTTP face, byte by byte as Upstash documents it."""

import base64

import pytest

from local.redis import ThreadedUpstash
from local.redis.refusals import MAX_REQUEST_BYTES
from tests.local.redis.rest_caller import RestCaller


def test_a_command_in_the_body_answers_a_result_or_an_error(rest: RestCaller, key: str) -> None:
    assert rest.send(["SET", key, 1.50]).json == {"result": "OK"}
    assert rest.send(["GET", key]).json == {"result": "1.5"}
    failed = rest.send(["GET"])
    assert failed.status == 400
    assert failed.json == {"error": "ERR wrong number of arguments for 'get' command"}


def test_numbers_arrive_as_they_were_written_and_booleans_as_words(rest: RestCaller, key: str) -> None:
    rest.send(f'["RPUSH", "{key}", 1180591620717411303424, 1.50, true, false]'.encode())
    values = ["1180591620717411303424", "1.50", "true", "false"]
    assert rest.send(["LRANGE", key, 0, -1]).json == {"result": values}


def test_a_command_in_the_path_takes_the_body_as_its_value_and_the_query_last(rest: RestCaller, key: str) -> None:
    assert rest.send(b"a b/c", path=f"/set/{key}?EX=100&NX").json == {"result": "OK"}
    assert rest.send(path=f"/get/{key}", method="GET").json == {"result": "a b/c"}
    assert rest.send(path=f"/ttl/{key}", method="GET").json["result"] in (99, 100)
    assert rest.send(path=f"/set/{key}/h%C3%A4%2F%25", method="PUT").json == {"result": "OK"}
    assert rest.send(path=f"//get/{key}", method="GET").json == {"result": "hä/%"}


def test_a_long_value_fits_the_path(rest: RestCaller, key: str) -> None:
    assert rest.send(path=f"/set/{key}/{'v' * 40_000}", method="GET").json == {"result": "OK"}
    assert rest.send(["STRLEN", key]).json == {"result": 40_000}


def test_pipelines_answer_each_command_and_transactions_all_or_nothing(rest: RestCaller, key: str) -> None:
    batch = [["SET", key, "x"], ["INCR", key], ["GET", key]]
    error = {"error": "ERR value is not an integer or out of range"}
    answers = [{"result": "OK"}, error, {"result": "x"}]
    assert rest.send(batch, path="//pipeline").json == answers
    assert rest.send(batch, path="/multi-exec").json == answers
    discarded = rest.send([["SET", key, "y"], ["NOSUCH", key]], path="/multi-exec")
    assert discarded.status == 400
    assert discarded.json["error"].startswith("ERR unknown command")
    assert rest.send(["GET", key]).json == {"result": "x"}


def test_scripts_in_a_transaction_are_held_to_their_keys_and_the_rest_is_not(rest: RestCaller, key: str) -> None:
    script = "#!lua flags=allow-key-locking\nreturn redis.call('INCR', KEYS[1] .. ARGV[1])"
    batch = [
        ["SET", key + "a", "1"],
        ["EVAL", script, "1", key, ""],
        ["GET", key + "a"],
        ["EVAL", script, "1", key, "b"],
    ]
    first, second, third, fourth = rest.send(batch, path="/multi-exec").json
    assert [first, second, third] == [{"result": "OK"}, {"result": 1}, {"result": "1"}]
    assert fourth["error"].endswith(f"Key was: {key}b")
    assert rest.send(["EXISTS", key + "b"]).json == {"result": 0}


@pytest.mark.parametrize(
    "name", ["we ird", "gl*b", "br[ack]et", "back\\slash", "qu?stion", "^hat", "", "new\nline", "ü\U0001f6a6"]
)
def test_a_key_locking_script_may_touch_a_key_of_any_spelling_but_not_its_lookalike(
    rest: RestCaller, key: str, name: str
) -> None:
    script = "#!lua flags=allow-key-locking\nreturn redis.call('SET', ARGV[1], 'x')"
    assert rest.send(["EVAL", script, "1", key + name, key + name]).json == {"result": "OK"}
    assert "Dynamic keys" in rest.send(["EVAL", script, "1", key + name, key + name + "x"]).json["error"]
    assert rest.send(["EVAL", script, "0", key + name]).json["error"].endswith(f"Key was: {key + name}")


def test_base64_covers_every_string_but_a_bare_ok(rest: RestCaller, key: str) -> None:
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    headers = {"Upstash-Encoding": "base64"}
    assert rest.send(["SET", key, "v"], headers=headers).json == {"result": "OK"}
    assert rest.send(["PING"], headers=headers).json == {"result": encoded("PONG")}
    script = "return {redis.status_reply('OK'), 'a', 7, {'b'}, false}"
    nested = [encoded("OK"), encoded("a"), 7, [encoded("b")], None]
    assert rest.send(["EVAL", script, "0"], headers=headers).json == {"result": nested}
    assert rest.send(["HGET", key, "f"], headers=headers).json["error"].startswith("WRONGTYPE")


def test_bytes_that_are_no_text_survive_in_base64_only(rest: RestCaller, key: str) -> None:
    assert rest.send(b"\xff\x00", path=f"/set/{key}").json == {"result": "OK"}
    assert rest.send(["GET", key]).json == {"result": "\ufffd\x00"}
    in_base64 = rest.send(["GET", key], headers={"Upstash-Encoding": "base64"})
    assert base64.b64decode(in_base64.json["result"]) == b"\xff\x00"


def test_resp2_answers_what_redis_said(rest: RestCaller, key: str) -> None:
    headers = {"Upstash-Response-Format": "resp2"}
    answer = rest.send([["SET", key, "v"], ["MGET", key, "none"], ["HGET", key]], "/pipeline", headers=headers)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.body.startswith(b"+OK\r\n*2\r\n$1\r\nv\r\n$-1\r\n-ERR wrong number")
    assert rest.send(["GET", key], headers=headers | {"Upstash-Encoding": "base64"}).status == 400
    assert rest.send([["GET", key]], "/multi-exec", headers=headers).status == 400
    assert rest.send(["GET", key], headers={"Upstash-Response-Format": "resp3"}).status == 400


@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec", "/get/x"])
def test_without_the_token_nothing_is_answered(rest: RestCaller, upstash: ThreadedUpstash, path: str) -> None:
    refused = rest.send([["PING"]], path, authorized=False)
    assert refused.status == 401
    assert refused.json == {"error": "WRONGPASS invalid or missing auth token"}
    for credential in ("Bearer nope", "Bearer \xff\xfe", "Bearer", f"Basic {upstash.token}"):
        assert rest.send([["PING"]], path, headers={"Authorization": credential}).status == 401


def test_the_token_may_stand_in_the_query(rest: RestCaller, upstash: ThreadedUpstash, key: str) -> None:
    path = f"/set/{key}/v?_token={upstash.token}&EX=50"
    assert rest.send(path=path, method="GET", authorized=False).json == {"result": "OK"}


def test_other_methods_are_not_allowed_and_head_has_no_body(rest: RestCaller, key: str) -> None:
    assert rest.send(["PING"], method="DELETE").status == 405
    head = rest.send(path=f"/get/{key}", method="HEAD")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"[]", b'"PING"', b'["GET",null]', b'["GET",["x"]]', b'["GET",{}]', b"[" * 3000],
)
def test_what_is_no_command_is_a_bad_request(rest: RestCaller, body: bytes) -> None:
    answer = rest.send(body)
    assert answer.status == 400
    assert answer.json["error"].startswith("ERR ")


@pytest.mark.parametrize("body", [[], {}, ["PING"], [[]], [["PING"], None]])
@pytest.mark.parametrize("path", ["/pipeline", "/multi-exec"])
def test_what_is_no_pipeline_is_a_bad_request(rest: RestCaller, path: str, body: object) -> None:
    assert rest.send(body, path).status == 400


@pytest.mark.parametrize(
    "command",
    [
        "BLPOP k 1",
        "bzpopmin k 1",
        "XREAD COUNT 1 BLOCK 0 STREAMS s $",
        "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
        "WATCH k",
        "MULTI",
        "EXEC",
        "SUBSCRIBE c",
        "CLIENT LIST",
        "HELLO 3",
        "AUTH default x",
        "ACL SETUSER eve on",
        "SELECT 1",
        "CONFIG SET maxmemory 1",
        "CONFIG SET notify-keyspace-events KEA maxmemory 1",
        "FUNCTION DUMP",
        "SHUTDOWN",
        "REPLICAOF NO ONE",
        "MONITOR",
    ],
)
def test_what_upstash_does_not_do_over_rest_is_refused(rest: RestCaller, command: str) -> None:
    assert rest.send(command.split()).status == 400
    assert "error" in rest.send([command.split()], "/pipeline").json[0]
    assert "error" in rest.send([["PING"], command.split()], "/multi-exec").json


def test_commands_that_only_valkey_knows_are_refused_even_inside_lua(rest: RestCaller, key: str) -> None:
    assert rest.send(["DELIFEQ", key, "v"]).status == 400
    assert rest.send(["EVAL", "return redis.call('DELIFEQ', KEYS[1], 'v')", "1", key]).status == 400


def test_reading_a_stream_named_block_is_not_blocking(rest: RestCaller) -> None:
    assert rest.send(["XREAD", "COUNT", "1", "STREAMS", "block", "0"]).json == {"result": None}


def test_fixed_answers_match_upstash(rest: RestCaller) -> None:
    assert rest.send(["COMMAND"]).json == {"result": []}
    assert rest.send(["SELECT", "0"]).json == {"result": "OK"}
    assert rest.send(["SCRIPT", "KILL"]).json["error"].startswith("NOTBUSY")
    assert rest.send(["CONFIG", "SET", "notify-keyspace-events", ""]).json == {"result": "OK"}


def test_sizes_are_limited_as_in_production(rest: RestCaller, key: str) -> None:
    long_key = rest.send(["SET", key + "x" * 32_768, "v"])
    assert long_key.json["error"].startswith("ERR max key size exceeded. Limit: 32768 bytes, Actual: ")
    assert rest.send(["SET", key, "v" * 40_000]).json == {"result": "OK"}
    too_large = rest.send(["SET", key, "v" * MAX_REQUEST_BYTES])
    assert (too_large.status, too_large.json) == (400, {"error": "ERR max request size exceeded"})


def test_script_digests_are_the_senders_own(rest: RestCaller, key: str) -> None:
    flagged = "#!lua flags=no-writes,allow-key-locking\nreturn ARGV[1]"
    digest = rest.send(["SCRIPT", "LOAD", flagged]).json["result"]
    assert rest.send(["SCRIPT", "EXISTS", digest, "0" * 40]).json == {"result": [1, 0]}
    assert rest.send(["EVALSHA", digest.upper(), "1", key, "yes"]).json == {"result": "yes"}
    rest.send(["SCRIPT", "FLUSH"])
    assert rest.send(["EVALSHA", digest, "1", key, "yes"]).json["error"].startswith("NOSCRIPT")
    late_flag = "\n" + flagged
    assert rest.send(["EVAL", late_flag, "0"]).status == 400


def test_a_key_locking_script_cannot_empty_the_database(rest: RestCaller, key: str) -> None:
    rest.send(["SET", key, "v"])
    assert rest.send(["EVAL", "#!lua flags=allow-key-locking\nreturn redis.call('FLUSHALL')", "1", key]).status == 400
    assert rest.send(["GET", key]).json == {"result": "v"}


def test_every_executed_request_moves_the_sync_token_on_if_it_wrote(rest: RestCaller, key: str) -> None:
    first = rest.send(["SET", key, "v"]).headers["Upstash-Sync-Token"]
    read = rest.send(["GET", key]).headers["Upstash-Sync-Token"]
    second = rest.send(["SET", key, "w"]).headers["Upstash-Sync-Token"]
    assert first == read != second
