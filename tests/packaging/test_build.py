"""Zips are the same bytes each time and hold arm64 packages of pinned hashes, whatever machine builds."""

import zipfile
from pathlib import Path

import pytest

from local.packaging.build import Function, build
from local.packaging.bytecode import compiled, compiler
from local.packaging.wheels import BadLock
from tests.packaging.conftest import MakeTree, MakeWheel

FILES = {
    "functions/__init__.py": "",
    "functions/hello/__init__.py": "",
    "functions/hello/handler.py": "import needed\nfrom shared import used\n",
    "shared/__init__.py": "",
    "shared/used.py": "",
    "shared/unused.py": "import unneeded",
}
HELLO = Function("hello", "functions/hello/handler.handler", Path("out/hello.zip"))


def _build(root: Path, cache: str = ".build") -> zipfile.ZipFile:
    (root / cache).mkdir(exist_ok=True)
    build(root, [HELLO], root / cache)
    return zipfile.ZipFile(root / HELLO.artifact)


def _lock(root: Path, *lines: str) -> None:
    (root / "functions/requirements.txt").write_text("# a comment\n" + "".join(lines))


def test_a_zip_holds_what_is_imported_and_nothing_else(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"), wheel("deeper", via="needed"), wheel("unneeded"))
    with _build(root) as archive:
        names = {name for name in archive.namelist() if "__pycache__" not in name}
    project = {name for name in FILES if name != "shared/unused.py"}
    modules = {"needed/__init__.py", "deeper/__init__.py"}
    metadata = {
        f"{name}-1.0.dist-info/{file}" for name in ("needed", "deeper") for file in ("METADATA", "entry_points.txt")
    }
    assert names == project | modules | metadata


def test_building_again_from_scratch_gives_the_same_bytes(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"))
    _build(root, "first").close()
    first = (root / HELLO.artifact).read_bytes()
    (root / HELLO.artifact).unlink()
    (root / "functions/hello/handler.py").touch()
    _build(root, "second").close()
    assert (root / HELLO.artifact).read_bytes() == first


def test_a_zip_is_written_again_only_when_something_in_it_changed(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"))
    _build(root).close()
    written = (root / HELLO.artifact).stat().st_ino
    (root / "shared/unused.py").write_text("changed = 1")
    _build(root).close()
    assert (root / HELLO.artifact).stat().st_ino == written
    (root / "shared/used.py").write_text("changed = 1")
    with _build(root) as archive:
        assert archive.read("shared/used.py") == b"changed = 1"


def test_a_broken_zip_is_written_again(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"))
    (root / "out").mkdir()
    (root / HELLO.artifact).write_bytes(b"half a zip")
    with _build(root) as archive:
        assert archive.testzip() is None


def test_a_second_build_installs_nothing(tree: MakeTree, wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"))
    _build(root).close()
    monkeypatch.setenv("PIP_FIND_LINKS", str(root / "nowhere"))
    _build(root).close()


def test_a_wheel_for_lambdas_processor_is_taken_on_any_machine(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed", tag="cp313-cp313-manylinux_2_28_aarch64"))
    with _build(root) as archive:
        assert "needed/__init__.py" in archive.namelist()


@pytest.mark.parametrize("tag", ["cp313-cp313-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_aarch64"])
def test_a_wheel_for_another_processor_or_python_is_refused(tree: MakeTree, wheel: MakeWheel, tag: str) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed", tag=tag))
    with pytest.raises(BadLock, match="could not be installed"):
        _build(root)


def test_a_wheel_with_other_bytes_than_the_locks_is_refused(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    line = wheel("needed")
    wheel("needed", extra={"needed/evil.py": "print('changed')"})
    _lock(root, line)
    with pytest.raises(BadLock, match="could not be installed"):
        _build(root)


def test_an_import_that_the_lock_does_not_provide_is_refused(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("unneeded"))
    with pytest.raises(BadLock, match="import needed"):
        _build(root)


def test_a_lock_line_without_a_hash_is_refused(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"), "loose==1.0\n")
    with pytest.raises(BadLock, match="loose"):
        _build(root)


@pytest.mark.skipif(compiler() is None, reason="needs a Python 3.13, Lambda's, to compile for it")
def test_bytecode_for_lambdas_python_lies_beside_every_module(tree: MakeTree, wheel: MakeWheel) -> None:
    root = tree(FILES)
    _lock(root, wheel("needed"))
    with _build(root) as archive:
        names = set(archive.namelist())
    modules = {Path(name) for name in names if name.endswith(".py")}
    assert {compiled(path).as_posix() for path in modules} == {name for name in names if name.endswith(".pyc")}
