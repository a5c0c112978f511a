"""Where a stack keeps its things, or says why it cannot."""

from pathlib import Path

import pytest

from local import cli
from local.datadir import DataDirectory


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    assert DataDirectory(tmp_path / "a" / "b", lasting=True).path.is_dir()


def test_a_path_that_can_be_no_folder_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    inside = tmp_path / "file" / "inside"
    assert cli.main(["up", "--json", "--port-base", "0", "--data", str(inside)]) == 1
    assert capsys.readouterr().err == f"traffic-cop: nothing can be kept in {inside}: Not a directory\n"
    assert (tmp_path / "file").read_text() == "mine"
