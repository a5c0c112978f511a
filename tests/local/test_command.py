"""`traffic-cop` as a process and as a command: what it prints, and that nothing outlives it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import rundir
from local.cli import main
from tests.local.test_stack import KEYS
from tests.support.processes import NEEDS_PROC, alive, descendants, soon

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def command(*arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """`traffic-cop …` as a process, in our own project."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "REDIS_URL"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()


def first_line(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return dict(json.loads(line))


@NEEDS_PROC
def test_up_json_prints_one_line_deploys_and_stops_everything_at_sigterm() -> None:
    with command("up", "--json", "--port-base", "0", "--workers", "1") as process:
        description = first_line(process)
        assert list(description) == KEYS
        assert httpx.get(f"{description['http']}/nothing-here").status_code == 404
        children = descendants(process.pid)
        assert {*description["runtime_pids"]} <= children
        process.send_signal(signal.SIGUSR1)
        assert httpx.get(f"{description['http']}/nothing-here").status_code == 404
        process.send_signal(signal.SIGUSR2)
        soon(lambda: not alive({*description["runtime_pids"]}))
        assert httpx.get(f"{description['http']}/nothing-here").status_code == 404
        children |= descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "")
        soon(lambda: not alive(children))


@NEEDS_PROC
def test_kill_9_of_the_stack_leaves_no_process_behind() -> None:
    with command("up", "--json", "--port-base", "0") as process:
        first_line(process)
        children = descendants(process.pid)
        assert len(children) > 3
        process.kill()
        soon(lambda: not alive(children))


@NEEDS_PROC
def test_a_stack_whose_watcher_has_gone_still_stops() -> None:
    with command("up", "--json", "--port-base", "0", "--workers", "1", "--verbose") as process:
        description = first_line(process)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()
        # What the functions print is for the console, too.
        assert httpx.post(f"{description['http']}/api/nothing").status_code == 401
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        soon(lambda: not alive(children))


@NEEDS_PROC
def test_up_shows_a_person_where_everything_is_with_a_token_that_works_until_ctrl_c(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Other stacks may run on this machine, and be newer.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with command("up", "--port-base", "0", "--workers", "1") as process:
        screen = "".join(lines_until(process, "asyncio.run(main())"))
        told = rundir.find()
        assert all(str(told[key]) in screen for key in KEYS if key != "runtime_pids")
        assert whose(re.findall(r"Bearer (\S+)'", screen)[0], told) == "alice@acme.test"
        assert main(["token", "bob@globex.test"]) == 0
        assert whose(capsys.readouterr().out.strip(), told) == "bob@globex.test"
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0
        assert said.splitlines() == ["traffic-cop: starting; give it a few seconds", "traffic-cop: SIGINT, stopping"]
        soon(lambda: not alive(children))


def lines_until(process: "subprocess.Popen[str]", last: str) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if line.strip() == last:
            return


def whose(token: str, told: dict[str, Any]) -> object:
    headers = {"apikey": told["supabase_anon_key"], "Authorization": f"Bearer {token}"}
    return httpx.get(f"{told['supabase_url']}/auth/v1/user", headers=headers).json()["email"]


def test_without_a_command_it_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().err
    assert "run everything on this machine" in told
    assert "print an access token" in told


def test_an_early_ctrl_c_ends_it_without_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(port_base: int | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rundir, "find", interrupted)
    assert main(["token", "alice@acme.test"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_token_needs_a_running_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "alice@acme.test", "--port-base", "65000"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == ("traffic-cop: no stack is running at port base 65000: start one with `traffic-cop up`\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["up", "--workers", "0"], "at least 1"),
        (["up", "--port-base", "80"], "1024 to"),
        (["up", "--port-base", "many"], "is not a number"),
        (["up", "--data", __file__], "is not a folder"),
        (["token"], "required"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err
