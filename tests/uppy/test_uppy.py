"""`@uppy/aws-s3`, unchanged, uploads from a real browser; `npm ci` in this folder installs it (.ci/run does)."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import AMIR, ROOT, Stack, eventually

HERE = Path(__file__).parent
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
INSTALLED = bool(CHROMIUM and shutil.which("node")) and (HERE / "node_modules" / "@uppy" / "aws-s3").is_dir()
NAME = "Größe 日本 العربية 👩\u200d🔬.csv"
ROWS = 90_000

pytestmark = pytest.mark.skipif(
    not INSTALLED and "TRAFFIC_COP_REQUIRE_ALL" not in os.environ,
    reason="needs Chromium, Node and `npm ci` in tests/uppy; .ci/run has them all",
)


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    return stack.token(AMIR)


@pytest.fixture(scope="module")
def content() -> bytes:
    """A CSV of three parts."""
    lines = (b"%d,%s\n" % (number, b"x" * 120) for number in range(ROWS))
    return b"number,text\n" + b"".join(lines)


@pytest.fixture(scope="module")
def found(stack: Stack, token: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came out of each scenario of in_browser.mjs."""
    path = tmp_path_factory.mktemp("uppy") / NAME
    path.write_bytes(content)
    world = {"http": stack.http, "token": token, "path": str(path), "chromium": CHROMIUM}
    command = ["node", "in_browser.mjs", json.dumps(world)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, Any] = json.loads(done.stdout)
    problems = {name: outcome for name, outcome in outcomes.items() if outcome.get("error") or outcome.get("failed")}
    assert problems == {}, done.stderr
    return outcomes


def stored(stack: Stack, token: str, file_id: str) -> tuple[dict[str, Any], bytes]:
    """The file once it is parsed, and its content."""
    with stack.api(token) as api:
        file = eventually(
            lambda: api.get(f"/files/{file_id}").json(), lambda found: bool(found["parse"]["status"] == "ready"), 30
        )
        return file, api.get(f"/files/{file_id}/content", follow_redirects=True).content


@pytest.mark.parametrize(("scenario", "parts"), [("single", []), ("multipart", [1, 2, 3])])
def test_a_file_is_uploaded(
    stack: Stack, token: str, found: dict[str, Any], content: bytes, scenario: str, parts: list[int]
) -> None:
    assert found[scenario]["parts"] == parts
    file, fetched = stored(stack, token, found[scenario]["successful"][0]["id"])
    assert (file["name"], file["content_type"], file["status"]) == (NAME, "text/csv", "available")
    assert file["parse"]["summary"]["row_count"] == ROWS
    assert fetched == content


def test_an_upload_goes_on_after_the_page_was_reloaded(
    stack: Stack, token: str, found: dict[str, Any], content: bytes
) -> None:
    after = found["reload"]
    assert after["same"]
    assert after["parts"] != []
    assert 1 not in after["parts"]
    assert stored(stack, token, after["successful"][0]["id"])[1] == content


def test_a_cancelled_upload_leaves_no_file(stack: Stack, token: str, found: dict[str, Any]) -> None:
    assert found["cancel"]["status"] == 204
    with stack.api(token) as api:
        assert api.get(f"/files/{found['cancel']['id']}").status_code == 404


def test_readme_shows_the_lines_that_are_tested() -> None:
    assert (HERE / "traffic_cop.js").read_text() in (ROOT / "README.md").read_text()
