"""The real functions' zips: complete, arm64, and free of what would slow a cold start."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.packaging.build import LOCK, Built
from local.packaging.wheels import normalised, pins_of
from shared.files.parsing import child
from tests.packaging.conftest import REPOSITORY

# The first build fetches all wheels.
pytestmark = pytest.mark.timeout(400)
FUNCTIONS = tuple(sorted(path.parent.name for path in REPOSITORY.glob("functions/*/handler.py")))
HTTP_FUNCTIONS = {"channel", "file", "session", "tenant"}
HEAVY = {"fastapi", "starlette", "pydantic", "mangum", "boto3", "botocore", "supabase"}
_ELF_AARCH64 = 183
_LAMBDA = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "SUPABASE_URL": "http://127.0.0.1:9",
    "CONNECTIONS_ENDPOINT": "http://127.0.0.1:9/local",
    "FILES_BUCKET": "files",
    "LANES_QUEUE_URL": "http://127.0.0.1:9/lanes",
    "CURSOR_SECRET": "cursor",
}
# Imports the handler with the zip's own code; only those installed packages can be seen that the zip has.
_IMPORT_ALONE = """
import gc, importlib, sys
folder, allowed, handler = sys.argv[1], set(sys.argv[2].split(",")), sys.argv[3]
class OnlyWhatTheZipHas:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names and not top.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"the zip has no {name}", name=name)
sys.meta_path.insert(0, OnlyWhatTheZipHas())
sys.path.insert(0, folder)
module, _, function = handler.rpartition(".")
assert callable(getattr(importlib.import_module(module.replace("/", ".")), function))
for it in gc.get_objects():
    if type(it).__name__ == "Script":
        assert it.source
ours = [m for m in list(sys.modules.values()) if m.__name__.partition(".")[0] in ("functions", "shared")]
assert all(m.__file__.startswith(folder) for m in ours if m.__file__), ours
"""


def test_every_function_folder_is_deployed_and_every_deployed_function_has_one(
    service: dict[str, Any],
) -> None:
    assert set(service["functions"]) == set(FUNCTIONS)
    for name, function in service["functions"].items():
        assert function["handler"] == f"functions/{name}/handler.handler"
        assert function["package"] == {"artifact": f".build/{name}.zip"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_imports_with_nothing_but_its_zip(built: dict[str, Built], name: str, tmp_path: Path) -> None:
    function = built[name].function
    with zipfile.ZipFile(REPOSITORY / function.artifact) as archive:
        project = [entry for entry in archive.namelist() if entry.startswith(("functions/", "shared/"))]
        archive.extractall(tmp_path, project)
        tops = {entry.partition("/")[0].partition(".")[0] for entry in archive.namelist()}
    command = [sys.executable, "-I", "-c", _IMPORT_ALONE, str(tmp_path), ",".join(tops), function.handler]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=_LAMBDA)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_native_library_is_for_arm64(built: dict[str, Built], name: str) -> None:
    with zipfile.ZipFile(REPOSITORY / built[name].function.artifact) as archive:
        libraries = [entry for entry in archive.namelist() if ".so" in Path(entry).suffixes]
        heads = {entry: archive.read(entry)[:20] for entry in libraries}
    assert libraries
    assert {entry for entry, head in heads.items() if head[18] != _ELF_AARCH64} == set()
    foreign = {entry for entry in libraries if ".cpython-" in entry and ".cpython-313-" not in entry}
    assert foreign == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_unzipped_stays_below_lambdas_limit(built: dict[str, Built], name: str) -> None:
    with zipfile.ZipFile(REPOSITORY / built[name].function.artifact) as archive:
        unzipped = sum(entry.file_size for entry in archive.infolist())
    print(f"{name}: {unzipped / 1e6:.0f} MB unzipped")  # noqa: T201 - shown by pytest -s
    # Of 250 MB, that a growing dependency is noticed before it is the deployment that fails.
    assert unzipped < 150 * 10**6


def test_the_parser_has_its_readers_which_are_imported_by_name(built: dict[str, Built]) -> None:
    with zipfile.ZipFile(REPOSITORY / built["parse"].function.artifact) as archive:
        modules = {entry.removesuffix(".py").replace("/", ".") for entry in archive.namelist()}
    assert {*child._READERS.values(), *child._CAREFUL.values()} <= modules
    assert built["parse"].packages >= {"duckdb", "ijson", "pypdf", "pypdfium2", "python-calamine"}


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - HTTP_FUNCTIONS))
def test_socket_queue_and_schedule_functions_carry_no_web_framework_and_no_sdk(
    built: dict[str, Built], name: str
) -> None:
    assert built[name].packages & HEAVY == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_zip_has_no_code_of_another_function_or_of_the_local_stack(built: dict[str, Built], name: str) -> None:
    with zipfile.ZipFile(REPOSITORY / built[name].function.artifact) as archive:
        entries = [Path(entry).parts for entry in archive.namelist()]
    handlers = {parts[1] for parts in entries if parts[0] == "functions" and len(parts) > 2} - {"__pycache__"}
    assert handlers == {name}
    assert {parts[0] for parts in entries} & {"local", "tests"} == set()


def test_the_lock_pins_what_pyproject_pins_and_no_more_than_functions_import() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = {
        line for line in (REPOSITORY / LOCK).with_suffix(".in").read_text().splitlines() if line and line[0] != "#"
    }
    assert wanted <= set(project)
    pins = pins_of(REPOSITORY / LOCK)
    direct = {f"{normalised(line.partition('==')[0].partition('[')[0])}=={line.partition('==')[2]}" for line in wanted}
    assert direct == {f"{name}=={pin.version}" for name, pin in pins.items() if not pin.via}


def test_every_direct_requirement_is_imported_by_a_function(built: dict[str, Built]) -> None:
    direct = {name for name, pin in pins_of(REPOSITORY / LOCK).items() if not pin.via}
    assert direct - {name for one in built.values() for name in one.packages} == set()


def test_the_lock_names_no_index() -> None:
    assert "://" not in (REPOSITORY / LOCK).read_text()
