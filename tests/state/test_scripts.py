"""Loading and composing Lua scripts, and every script of the project against its own header."""

import re
from pathlib import Path

import pytest

from shared.state import scripts
from shared.state.scripts import Script, script

SHARED = Path(scripts.__file__).parent.parent
ALL = sorted(SHARED.glob("*/lua/*.lua"))
COMPLETE = [path for path in ALL if re.search(r"^-- KEYS", path.read_text(), re.M)]


def test_keys_and_arguments_are_bound_by_name(tmp_path: Path) -> None:
    path = tmp_path / "s.lua"
    path.write_text("-- s: test\n-- KEYS log, leases_2\n-- ARGV now_ms\nreturn A.now_ms\n")
    loaded = Script(path)
    assert (loaded.name, loaded.key_names, loaded.argument_names) == ("s", ("log", "leases_2"), ("now_ms",))
    assert "local K, A = {log = KEYS[1], leases_2 = KEYS[2]}, {now_ms = ARGV[1]}" in loaded.source


def test_the_key_locking_flag_is_the_very_first_line(tmp_path: Path) -> None:
    (tmp_path / "s.lua").write_text("return 1")
    assert Script(tmp_path / "s.lua").source.startswith("#!lua flags=allow-key-locking\n")


def test_a_script_is_found_beside_its_module(tmp_path: Path) -> None:
    (tmp_path / "lua").mkdir()
    (tmp_path / "lua" / "go.lua").write_text("return 1")
    assert script(str(tmp_path / "module.py"), "go").source.endswith("return 1")


def test_fragments_come_once_and_before_what_uses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "_SHARED", tmp_path)
    folder = tmp_path / "layer" / "lua"
    folder.mkdir(parents=True)
    (folder / "base.lua").write_text("local base = 1\n")
    (folder / "left.lua").write_text("-- USES layer/base\nlocal left = base\n")
    (folder / "right.lua").write_text("-- USES layer/base\nlocal right = base\n")
    (folder / "top.lua").write_text("-- USES layer/left, layer/right\nreturn left + right\n")
    source = Script(folder / "top.lua").source
    order = [source.index(part) for part in ("local base", "local left", "local right", "return left")]
    assert order == sorted(order)
    assert source.count("local base") == 1


@pytest.mark.parametrize("path", COMPLETE, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_a_script_reads_only_what_its_header_names(path: Path) -> None:
    text, own = path.read_text(), Script(path)
    assigned = re.findall(r"^\s*((?:[KA]\.\w+, )*[KA]\.\w+) =[^=]", text, re.M)
    made_inside = set(re.findall(r"[KA]\.(\w+)", ",".join(assigned)))
    assert set(re.findall(r"\bK\.(\w+)", text)) - made_inside <= set(own.key_names)
    assert set(re.findall(r"\bA\.(\w+)", text)) - made_inside <= set(own.argument_names)


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_a_script_never_walks_the_key_space(path: Path) -> None:
    assert not re.search(r"call\('(KEYS|SCAN|FLUSH\w*|RANDOMKEY)'", path.read_text())


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_a_script_fits_on_a_screen(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 80
