"""What the content cannot do: choose its reader by its name, crash us, stay for ever, read our environment."""

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.files.parsing import child
from tests.files.parsing.conftest import Reader


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x05\x06" + bytes(18), "ZIP"),
        (b"SQLite format 3\x00" + bytes(84), "SQLite"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), "PNG"),
        (bytes(1 << 20), "binary"),
        (b"\x00\x01\x02" * 100, "binary"),
        (b"\x00\x00\x00\x18ftypmp42", "video"),
    ],
)
def test_a_name_does_not_make_a_table_of_something_else(reader: Reader, content: bytes, reason: str) -> None:
    outcome = reader.read(content, "table.csv", "text/csv")
    assert outcome.status == "unsupported"
    assert reason in outcome.detail


def test_json_called_csv_is_json(reader: Reader) -> None:
    assert reader.result(b'[{"a": 1}, {"a": 2}]', "x.csv", "text/csv")["kind"] == "json"


def test_csv_called_json_is_not_trusted(reader: Reader) -> None:
    assert reader.read(b"a,b\n1,2\n", "x.json").status == "failed"


def test_prose_is_text(reader: Reader) -> None:
    result = reader.result(b"Ein Satz, mit Komma.\nNoch einer.\n", "brief.txt")
    assert (result["kind"], result["text"], result["row_count"]) == (
        "text",
        "Ein Satz, mit Komma.\nNoch einer.\n",
        2,
    )


def test_markdown_is_text_even_with_a_table_in_it(reader: Reader) -> None:
    assert reader.result(b"|a|b|\n|-|-|\n|1|2|\n", "notes.md")["kind"] == "text"


def test_long_text_is_cut_and_told(reader: Reader) -> None:
    result = reader.result(b"word " * 100_000, "long.txt")
    assert len(result["text"]) == 200_000
    assert result["warnings"] == ["only the first 200000 characters are shown"]


def test_undecodable_lines_of_a_text_are_told(reader: Reader) -> None:
    result = reader.result("Ä\n".encode() * 3 + b"B\xffb \xff\nend", "notes.md")
    assert result["text"] == "Ä\nÄ\nÄ\nB\ufffdb \ufffd\nend"
    assert result["warnings"] == ["1 line holds bytes that are not utf-8, first line 4"]


@pytest.mark.parametrize("name", ["empty.csv", "empty.json", "empty"])
def test_an_empty_file_is_an_empty_text(reader: Reader, name: str) -> None:
    result = reader.result(b"", name)
    assert (result["kind"], result["text"], result["row_count"]) == ("text", "", 0)


def test_a_real_table_of_a_wheel_is_read(reader: Reader) -> None:
    record = importlib.metadata.distribution("botocore").read_text("RECORD")
    assert record is not None
    result = reader.result(record.encode(), "RECORD.csv")
    assert result["row_count"] == len(record.splitlines())
    assert [column["type"] for column in result["schema"]] == ["string", "string", "integer"]


def test_too_much_memory_ends_in_limited(reader: Reader) -> None:
    content = b'{"a": [' + b"1.5," * 3_000_000 + b"1]}"
    outcome = reader.sandboxed(content, "x.json", memory_bytes=96 << 20)
    assert outcome.status in ("limited", "failed")


def test_too_much_time_gives_what_was_read(reader: Reader) -> None:
    outcome = reader.sandboxed(b"a,b\n" + b"1,2\n" * 4_000_000, "x.csv", seconds=1)
    assert outcome.status == "limited"
    assert "took longer" in outcome.detail
    if outcome.result:
        assert 0 < json.loads(outcome.result)["row_count"] < 4_000_000


def test_a_reader_that_does_not_look_at_the_clock_is_stopped(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    (reader.folder / "endless.py").write_text(
        "from shared.files.parsing import child\nchild.limit_myself(1 << 30, 1)\nwhile True: pass\n"
    )
    monkeypatch.setattr(child, "__name__", "endless")
    monkeypatch.syspath_prepend(str(reader.folder))
    outcome = reader.sandboxed(b"x", seconds=1)
    assert (outcome.status, outcome.detail) == ("limited", "parsing took longer than 1 seconds")


def test_the_child_sees_no_credentials_and_writes_no_files(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    spy = reader.folder / "spy.py"
    spy.write_text(
        "import os\n"
        "from shared.files.parsing import child\n"
        "child.limit_myself(1 << 30, 10)\n"
        "names = sorted(os.environ)\n"
        "try:\n"
        "    open('written', 'w').write('x' * 10)\n"
        "    kept = os.path.getsize('written')\n"
        "except OSError:\n"
        "    kept = 0\n"
        'print(\'{"status": "ready", "detail": ""}\')\n'
        "print(names, kept)\n"
    )
    monkeypatch.setattr(child, "__name__", "spy")
    monkeypatch.syspath_prepend(str(reader.folder))
    seen = reader.sandboxed(b"").result.decode()
    assert "AWS" not in seen
    assert "hidden" not in seen
    assert seen.strip().endswith("0")
    assert "AWS_SECRET_ACCESS_KEY" in os.environ


def test_a_crash_of_the_child_is_the_files_failure(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    (reader.folder / "crash.py").write_text("import os\nos.abort()\n")
    monkeypatch.setattr(child, "__name__", "crash")
    monkeypatch.syspath_prepend(str(reader.folder))
    outcome = reader.sandboxed(b"x")
    assert (outcome.status, outcome.detail) == ("failed", "the parser was ended by the content (signal 6)")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
def test_the_child_does_not_outlive_its_parent(reader: Reader) -> None:
    content = reader.folder / "content"
    content.write_bytes(b"a,b\n" + b"1,2\n" * 8_000_000)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(content)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    child_pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while _is_running(child_pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_running(child_pid)


_PARENT = """
import subprocess, sys, pathlib
from shared.files.parsing import sandbox
begin = subprocess.Popen.__init__
def told(self, *args, **kwargs):
    begin(self, *args, **kwargs)
    print(self.pid, flush=True)
subprocess.Popen.__init__ = told
sandbox.parse(pathlib.Path(sys.argv[1]), "text/csv", "x.csv")
"""


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
