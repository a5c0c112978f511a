"""Which of several running stacks `traffic-cop token` means, and what its flags refuse."""

import tempfile
from pathlib import Path

import pytest

from local import rundir
from local.cli import main
from local.ports import DEFAULT_BASE


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def announce(*port_bases: int) -> None:
    for port_base in port_bases:
        rundir.RunDirectory().announce({"port_base": port_base})


@pytest.mark.parametrize("port_bases", [(DEFAULT_BASE, 0, 9000), (0, 9000, DEFAULT_BASE)])
def test_the_stack_at_the_default_ports_is_meant_unless_another_is_named(port_bases: tuple[int, ...]) -> None:
    announce(*port_bases)
    assert rundir.find()["port_base"] == DEFAULT_BASE
    assert rundir.find(9000)["port_base"] == 9000


def test_without_one_there_any_running_stack_will_do() -> None:
    announce(9000)
    assert rundir.find()["port_base"] == 9000


def test_without_any_the_message_says_how_to_start_one() -> None:
    with pytest.raises(rundir.NotRunning, match="traffic-cop up"):
        rundir.find()


@pytest.mark.parametrize("flag", ["--port-base", "--workers"])
def test_a_flag_that_wants_a_number_says_so(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["up", flag, "abc"])
    assert "'abc' is not a number" in capsys.readouterr().err
