"""Where a stack keeps its things, or says why it cannot."""

from pathlib import Path

import pytest

from local import cli
from local.datadir import DataDirectory
from local.refused import Refused


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    assert DataDirectory(tmp_path / "a" / "b", lasting=True).path.is_dir()


@pytest.mark.parametrize(("where", "reason"), [("file", "it is a file"), ("file/inside", "Not a directory")])
def test_a_path_that_can_be_no_folder_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str, reason: str
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Refused, match=reason):
        DataDirectory(tmp_path / where, lasting=True)
    assert cli.main(["up", "--json", "--port-base", "0", "--data", str(tmp_path / where)]) == 1
    assert capsys.readouterr().err == f"traffic-cop: nothing can be kept in {tmp_path / where}: {reason}\n"
    assert (tmp_path / "file").read_text() == "mine"
