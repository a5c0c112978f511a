"""What a handler reaches is found from its source alone."""

from pathlib import Path

import pytest

from local.packaging.imports import UnknownImport, trace
from tests.packaging.conftest import MakeTree

PACKAGES = {"functions/__init__.py": "", "shared/__init__.py": "", "functions/hello/__init__.py": ""}
HANDLER = "functions.hello.handler"


def _names(paths: set[Path]) -> set[str]:
    return {path.as_posix() for path in paths if path.name != "__init__.py"}


def test_imports_are_followed_wherever_they_stand(tree: MakeTree) -> None:
    root = tree(
        PACKAGES
        | {
            "functions/hello/handler.py": "from . import near\ndef f():\n    import shared.three",
            "functions/hello/near.py": "from .nearer import x\nfrom shared import one",
            "functions/hello/nearer.py": "x = 1",
            "shared/one.py": "from shared.two import thing",
            "shared/two.py": "thing = 1",
            "shared/three.py": "",
            "shared/unused.py": "",
        }
    )
    files = _names(trace(root, HANDLER).files)
    near = {f"functions/hello/{name}.py" for name in ("handler", "near", "nearer")}
    assert files == near | {"shared/one.py", "shared/two.py", "shared/three.py"}


def test_a_package_brings_its_own_init_and_those_above_it(tree: MakeTree) -> None:
    root = tree(
        PACKAGES
        | {
            "functions/hello/handler.py": "import shared.deep.leaf",
            "shared/deep/__init__.py": "import shared.side",
            "shared/deep/leaf.py": "",
            "shared/side.py": "",
        }
    )
    files = {path.as_posix() for path in trace(root, HANDLER).files}
    assert {
        "functions/hello/__init__.py",
        "shared/__init__.py",
        "shared/deep/__init__.py",
        "shared/side.py",
    } <= files


def test_imports_for_type_checkers_are_left_out(tree: MakeTree) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import boto3\nelse:\n    import msgspec\n"
    root = tree(PACKAGES | {"functions/hello/handler.py": text})
    assert trace(root, HANDLER).third_party == {"msgspec"}


def test_third_party_packages_are_told_from_the_standard_library(tree: MakeTree) -> None:
    text = "import json, os.path\nimport jwt.algorithms\nfrom upstash_redis import Redis\n"
    root = tree(PACKAGES | {"functions/hello/handler.py": text})
    assert trace(root, HANDLER).third_party == {"jwt", "upstash_redis"}


def test_a_module_started_as_a_process_counts_as_imported(tree: MakeTree) -> None:
    root = tree(
        PACKAGES
        | {
            "functions/hello/handler.py": "ARGS = ['-m', 'shared.child']",
            "shared/child.py": "import ijson",
        }
    )
    found = trace(root, HANDLER)
    assert Path("shared/child.py") in found.files
    assert found.third_party == {"ijson"}


def test_a_named_lua_script_comes_with_the_fragments_it_uses(tree: MakeTree) -> None:
    root = tree(
        PACKAGES
        | {
            "functions/hello/handler.py": "import shared.state.store",
            "shared/state/__init__.py": "",
            "shared/state/store.py": "publish = script(__file__, 'publish')",
            "shared/state/lua/publish.lua": "-- publish: append\n-- USES state/log, auth/owner\n",
            "shared/state/lua/log.lua": "",
            "shared/state/lua/history.lua": "",
            "shared/auth/lua/owner.lua": "-- USES state/clock",
            "shared/state/lua/clock.lua": "",
        }
    )
    lua = {path.stem for path in trace(root, HANDLER).files if path.suffix == ".lua"}
    assert lua == {"publish", "log", "owner", "clock"}


def test_an_import_of_a_project_module_that_is_missing_is_refused(tree: MakeTree) -> None:
    root = tree(PACKAGES | {"functions/hello/handler.py": "from shared.nowhere import x"})
    with pytest.raises(UnknownImport, match=r"shared\.nowhere"):
        trace(root, HANDLER)


def test_an_import_of_what_is_not_deployed_is_refused(tree: MakeTree) -> None:
    root = tree(PACKAGES | {"functions/hello/handler.py": "import local.stack", "local/__init__.py": ""})
    with pytest.raises(UnknownImport, match=r"local\.stack"):
        trace(root, HANDLER)


def test_a_handler_that_is_missing_is_refused(tree: MakeTree) -> None:
    with pytest.raises(UnknownImport, match=r"functions\.hello\.handler"):
        trace(tree(PACKAGES), HANDLER)
