"""What `INFO` tells users of commands is what they sent, as on Upstash, which has no gateway to be seen."""

import re

import pytest

from tests.local.redis.rest_caller import RestCaller

LOCKED = "#!lua flags=allow-key-locking\nfor _ = 1, 3 do redis.call('INCR', KEYS[1]) end return 1"


def counts(rest: RestCaller) -> dict[str, int]:
    report = rest.send(["INFO", "commandstats"]).json["result"]
    return {name: int(calls) for name, calls in re.findall(r"cmdstat_([^:]+):calls=(\d+)", report)}


def total(rest: RestCaller) -> int:
    return int(re.findall(r"total_commands_processed:(\d+)", rest.send(["INFO", "stats"]).json["result"])[0])


def work(rest: RestCaller, key: str) -> None:
    """Ten commands for which the gateway narrows permissions, looks at keys and opens transactions."""
    rest.send(["EVAL", LOCKED, 1, key + "a"])
    rest.send([["EVAL", LOCKED, 1, key + "b"], ["SET", key, "v" * 40_000]], path="/multi-exec")
    rest.send(["GET", key])


def test_commands_are_counted_and_the_gateways_own_are_not(rest: RestCaller, key: str) -> None:
    before = counts(rest)
    work(rest, key)
    after = counts(rest)
    done = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
    assert done == {"eval": 2, "incr": 6, "set": 1, "get": 1, "info": 1}


def test_so_is_their_number(rest: RestCaller, key: str) -> None:
    before = total(rest)
    work(rest, key)
    assert total(rest) - before == 11


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ([], ["Server", "Stats", "Keyspace"]),
        (["stats"], ["Stats"]),
        (["COMMANDSTATS"], ["Commandstats"]),
        (["stats", "commandstats"], ["Stats", "Commandstats"]),
        (["all"], ["Server", "Stats", "Commandstats", "Keyspace"]),
    ],
)
def test_the_sections_that_were_asked_for_come(rest: RestCaller, sections: list[str], told: list[str]) -> None:
    found = re.findall(r"^# (\w+)\r$", rest.send(["INFO", *sections]).json["result"], re.MULTILINE)
    assert [name for name in found if name in ("Server", "Stats", "Commandstats", "Keyspace")] == told


def test_a_pipeline_is_answered_alike(rest: RestCaller, key: str) -> None:
    rest.send(["EVAL", LOCKED, 1, key])
    for path in ("/pipeline", "/multi-exec"):
        (answer,) = rest.send([["INFO", "commandstats"]], path=path).json
        assert "cmdstat_eval" in answer["result"]
        assert "cmdstat_acl" not in answer["result"]
