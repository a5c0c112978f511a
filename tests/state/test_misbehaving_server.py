"""What the stock client does wrong when the server misbehaves, each trap once (facts/upstash-supabase.md §2)."""

import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Invalid, Unavailable
from shared.settings import InvalidSetting
from shared.state.client import Redis
from shared.state.errors import CommandRefused, OutcomeUnknown, Unreachable
from shared.state.scripts import Script
from shared.state.transport import Transport
from tests.state.misbehaving import (
    Behaviour,
    MisbehavingServer,
    answer,
    drop,
    half,
    result,
    silence,
    trickle,
)

HTML = answer(502, b"<html>Bad Gateway</html>")
NOSCRIPT = answer(400, {"error": "NOSCRIPT No matching script. Please use EVAL."})


def client_of(server: MisbehavingServer, timeout_ms: int = 5000, suffix: str = "") -> Redis:
    return Redis(server.url + suffix, "token", timeout_ms=timeout_ms, connect_timeout_ms=5000)


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@pytest.mark.parametrize("behaviour", [silence, trickle])
def test_a_server_that_never_finishes_its_answer_is_given_up(behaviour: Behaviour) -> None:
    with MisbehavingServer(behaviour) as server, pytest.raises(OutcomeUnknown, match="in time"):
        client_of(server, timeout_ms=150).call("INCR", "n")
    assert server.commands == [["incr", "n"]]


@pytest.mark.parametrize(
    "behaviour",
    [HTML, answer(200, b"<html>"), answer(200, b""), answer(500, {"error": "ERR x"}), answer(503, b""), drop, half],
    ids=["502 html", "200 html", "empty", "500 json", "503", "dropped", "cut off"],
)
def test_a_command_that_may_have_been_executed_is_not_sent_again(behaviour: Behaviour) -> None:
    with MisbehavingServer(behaviour) as server, pytest.raises(OutcomeUnknown):
        client_of(server).call("INCR", "n")
    assert server.commands == [["incr", "n"]]


@pytest.mark.parametrize("behaviour", [HTML, drop, half])
def test_an_idempotent_command_is_sent_once_more(behaviour: Behaviour) -> None:
    with MisbehavingServer(behaviour, result(7)) as server:
        assert client_of(server).call("INCR", "n", idempotent=True) == 7
    assert len(server.requests) == 2


def test_an_idempotent_command_is_sent_twice_at_most() -> None:
    with MisbehavingServer(HTML, HTML) as server, pytest.raises(OutcomeUnknown) as caught:
        client_of(server).call("INCR", "n", idempotent=True)
    assert caught.value.http_status == 502
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 413, 429])
def test_a_request_turned_away_keeps_its_status_and_is_not_repeated(status: int) -> None:
    with (
        MisbehavingServer(answer(status, {"message": "Forbidden"})) as server,
        pytest.raises(Unreachable, match=f"{status}.*Forbidden") as caught,
    ):
        client_of(server).call("GET", "k")
    assert caught.value.http_status == status
    assert len(server.requests) == 1


def test_an_error_of_the_command_keeps_its_message_and_status() -> None:
    with (
        MisbehavingServer(answer(400, {"error": "WRONGTYPE Operation against …"})) as server,
        pytest.raises(CommandRefused) as caught,
    ):
        client_of(server).call("HGET", "k", "f")
    assert (caught.value.kind, caught.value.http_status) == ("WRONGTYPE", 400)
    assert caught.value.message == "WRONGTYPE Operation against …"


def test_an_exhausted_quota_is_unavailability_and_not_a_bug() -> None:
    message = "ERR max requests limit exceeded. Limit: 500000, Usage: 500000."
    with MisbehavingServer(answer(400, {"error": message})) as server, pytest.raises(Unreachable, match="quota"):
        client_of(server).call("GET", "k")


def test_what_the_server_said_is_not_shown_to_callers() -> None:
    with MisbehavingServer(answer(401, {"error": "WRONGPASS secret"})) as server, pytest.raises(Unavailable) as caught:
        client_of(server).call("GET", "k")
    assert "secret" not in caught.value.detail
    assert not caught.value.extra


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        Redis(f"http://127.0.0.1:{port}", "t", timeout_ms=500, connect_timeout_ms=500).call("GET", "k")
    assert caught.value.http_status is None


def test_a_handshake_that_is_not_answered_ends_after_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(Unreachable):
            Redis(url, "t", timeout_ms=5000, connect_timeout_ms=100).call("GET", "k")


@pytest.mark.parametrize("url", ["", "redis://h:1", "h:80", "https://", "https://h/?_token=x"])
def test_an_address_that_is_none_fails_at_start(url: str) -> None:
    with pytest.raises(InvalidSetting):
        Redis(url, "t", timeout_ms=1, connect_timeout_ms=1)


@pytest.mark.parametrize("token", ["a b", "a\nb", "\u00e9"])
def test_a_token_that_is_none_fails_at_start(token: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Redis("https://h", token, timeout_ms=1, connect_timeout_ms=1)
    assert token not in str(caught.value)


def test_white_space_around_address_and_token_does_no_harm() -> None:
    with MisbehavingServer() as server:
        Redis(f" {server.url}/\n", "token\n", timeout_ms=5000, connect_timeout_ms=5000).call("PING")
    assert server.requests[0].headers["authorization"] == "Bearer token"


def test_one_failing_command_of_a_pipeline_loses_no_other_result() -> None:
    items = [{"result": "OK"}, {"error": "ERR value is not an integer"}, {"result": text("v")}]
    with MisbehavingServer(answer(200, items), answer(200, [{"result": 1}])) as server:
        redis = client_of(server)
        first, failed, last = redis.pipeline([["SET", "k", "v"], ["INCR", "k"], ["GET", "k"]])
        assert redis.pipeline([["DEL", "k"]]) == [1]
    assert (first, last) == ("OK", "v")
    assert isinstance(failed, CommandRefused)
    assert failed.message == "ERR value is not an integer"
    assert server.commands[1] == [["del", "k"]]


def test_a_failed_pipeline_leaves_nothing_for_the_next() -> None:
    with MisbehavingServer(HTML, answer(200, [{"result": 1}])) as server:
        redis = client_of(server)
        with pytest.raises(OutcomeUnknown):
            redis.pipeline([["INCR", "a"]])
        assert redis.pipeline([["INCR", "b"]]) == [1]
    assert server.commands[1] == [["incr", "b"]]


def test_a_bad_token_on_a_pipeline_is_told_as_such() -> None:
    refusal = answer(401, {"error": "WRONGPASS invalid or missing auth token"})
    with MisbehavingServer(refusal) as server, pytest.raises(Unreachable, match=r"401.*WRONGPASS"):
        client_of(server).pipeline([["GET", "k"]])


def test_a_pipeline_refused_as_a_whole_raises_the_servers_error() -> None:
    with (
        MisbehavingServer(answer(400, {"error": "ERR max request size exceeded"})) as server,
        pytest.raises(CommandRefused, match="max request size"),
    ):
        client_of(server).pipeline([["GET", "k"]])


@pytest.mark.parametrize("body", [[], [{"result": 1}], [1, 2], [{}, {}], {"result": 1}, 5])
def test_a_pipeline_answered_with_something_else_has_an_unknown_outcome(body: object) -> None:
    with MisbehavingServer(answer(200, body)) as server, pytest.raises(OutcomeUnknown):
        client_of(server).pipeline([["GET", "a"], ["GET", "b"]])


@pytest.mark.parametrize("body", [{}, [], 5, {"message": "hi"}])
def test_an_answer_without_result_and_error_has_an_unknown_outcome(body: object) -> None:
    with MisbehavingServer(answer(200, body)) as server, pytest.raises(OutcomeUnknown):
        client_of(server).call("GET", "a")


@pytest.mark.parametrize("raw", [base64.b64encode(b"\xff\xfe").decode(), "a", 1.5, {"a": 1}])
def test_a_result_that_cannot_be_read_spoils_only_itself(raw: object) -> None:
    with MisbehavingServer(answer(200, [{"result": 1}, {"result": raw}])) as server:
        good, bad = client_of(server).pipeline([["INCR", "a"], ["GET", "b"]])
    assert good == 1
    assert isinstance(bad, CommandRefused)


def test_an_empty_pipeline_sends_nothing() -> None:
    with MisbehavingServer() as server:
        assert client_of(server).pipeline([]) == []
    assert server.requests == []


@pytest.mark.parametrize(("suffix", "path"), [("", "/pipeline"), ("/", "/pipeline"), ("/base//", "/base/pipeline")])
def test_slashes_at_the_address_end_do_no_harm(suffix: str, path: str) -> None:
    with MisbehavingServer(answer(200, [{"result": 1}])) as server:
        client_of(server, suffix=suffix).pipeline([["INCR", "a"]])
    assert server.requests[0].path == path


def test_arguments_are_text_on_the_wire() -> None:
    with MisbehavingServer() as server:
        client_of(server).call("SET", "k", 2**70, "é€😀", True)
    assert server.commands == [["set", "k", str(2**70), "é€😀", "1"]]


@pytest.mark.parametrize("argument", [None, 1.5, b"x", ["x"], {"x": 1}])
def test_an_argument_of_another_type_is_refused_before_sending(argument: Any) -> None:
    with MisbehavingServer() as server, pytest.raises(TypeError):
        client_of(server).call("SET", "k", argument)
    assert server.requests == []


def test_a_lone_surrogate_is_the_callers_mistake() -> None:
    with MisbehavingServer() as server, pytest.raises(Invalid):
        client_of(server).call("SET", "k", "\ud800")
    assert server.connections == 0


def test_results_are_never_cast() -> None:
    flat = [text("f"), text("1")]
    with MisbehavingServer(result(flat), result("OK"), result(flat)) as server:
        redis = client_of(server)
        assert redis.call("HGETALL", "h") == ["f", "1"]
        assert redis.call("SET", "k", "v") == "OK"
        assert redis.call("ZRANGE", "z", 0, -1, "WITHSCORES") == ["f", "1"]


def test_one_connection_serves_many_commands() -> None:
    with MisbehavingServer() as server:
        redis = client_of(server)
        for _ in range(5):
            redis.call("PING")
        redis.close()
    assert server.connections == 1


def test_an_idle_connection_closed_by_the_server_is_replaced_before_sending() -> None:
    with MisbehavingServer(result(1, keep=False), result(2)) as server:
        redis = client_of(server)
        assert redis.call("INCR", "n") == 1
        server.wait_closed()
        assert redis.call("INCR", "n") == 2
    assert server.connections == 2
    assert len(server.requests) == 2


def test_a_server_that_announces_the_end_of_the_connection_is_believed() -> None:
    with MisbehavingServer(result(1, [("Connection", "close")])) as server:
        redis = client_of(server)
        redis.call("INCR", "n")
        redis.call("INCR", "n")
    assert server.connections == 2


@pytest.mark.parametrize(("idle_s", "connections"), [(29, 1), (31, 2), (-1, 2)])
def test_a_connection_that_was_idle_for_long_is_not_trusted(idle_s: int, connections: int) -> None:
    clock = [1000.0]
    with MisbehavingServer() as server:
        transport = Transport(5000, 5000, lambda _: None, lambda: clock[0])
        for _ in range(2):
            transport.execute(server.url, {}, ["PING"])
            clock[0] += idle_s
        transport.close()
        assert server.connections == connections


def test_a_connection_after_a_failure_is_not_used_again() -> None:
    with MisbehavingServer(silence, result(text("mine"))) as server:
        redis = client_of(server, timeout_ms=150)
        with pytest.raises(OutcomeUnknown):
            redis.call("GET", "a")
        assert redis.call("GET", "b") == "mine"
    assert server.connections == 2


def test_the_last_sync_token_goes_with_the_next_command() -> None:
    tokens = [result(1, [("Upstash-Sync-Token", name)]) for name in ("one", "two")]
    with MisbehavingServer(*tokens) as server:
        redis = client_of(server)
        for _ in range(3):
            redis.call("INCR", "n")
    assert [request.headers["upstash-sync-token"] for request in server.requests] == ["", "one", "two"]


def test_a_missing_script_is_sent_as_text(tmp_path: Path) -> None:
    script = script_of(tmp_path, "-- ARGV a, b\nreturn A.a")
    with MisbehavingServer(NOSCRIPT, result(text("done"))) as server:
        assert client_of(server).run(script, {}, {"b": 2, "a": "x"}, more_args=["y"]) == "done"
    assert server.commands == [
        ["evalsha", script.sha1, "0", "x", "2", "y"],
        ["eval", script.source, "0", "x", "2", "y"],
    ]


def test_commands_before_a_missing_script_are_not_repeated(tmp_path: Path) -> None:
    script = script_of(tmp_path, "return 1")
    items = [{"result": 1}, {"error": "NOSCRIPT No matching script."}]
    with MisbehavingServer(answer(200, items), result(5)) as server:
        assert client_of(server).run(script, {}, before=[["ZADD", "z", 1, "m"]]) == 5
    assert [command[0] for command in server.commands] == [["zadd", "z", "1", "m"], "eval"]


def test_an_error_of_a_command_before_a_script_is_raised(tmp_path: Path) -> None:
    items = [{"error": "WRONGTYPE x"}, {"result": 1}]
    with MisbehavingServer(answer(200, items)) as server, pytest.raises(CommandRefused, match="WRONGTYPE"):
        client_of(server).run(script_of(tmp_path, "return 1"), {}, before=[["ZADD", "z", 1, "m"]])


@pytest.mark.parametrize("args", [{}, {"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}])
def test_a_script_wants_exactly_its_arguments(tmp_path: Path, args: dict[str, int]) -> None:
    with MisbehavingServer() as server, pytest.raises(TypeError, match="script s"):
        client_of(server).run(script_of(tmp_path, "-- ARGV a, b\nreturn 1"), {}, args)
    assert server.requests == []


def script_of(folder: Path, body: str) -> Script:
    (folder / "s.lua").write_text(body)
    return Script(folder / "s.lua")
