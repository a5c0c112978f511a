"""What the content cannot do: choose its reader by its name, crash us, stay for ever, read our environment."""

import importlib.metadata
import json
import logging
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.files.parsing.conftest import Program, Reader


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


def test_a_reader_that_does_not_look_at_the_clock_is_stopped(program: Program) -> None:
    outcome = program("while True: pass", seconds=1)
    assert (outcome.status, outcome.detail) == ("limited", "parsing took longer than 1 seconds")


def test_the_child_sees_no_credentials(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    seen = program("seen = dict(os.environ)").detail
    assert "PYTHONPATH" in seen
    assert "AWS" not in seen
    assert "hidden" not in seen


def test_the_child_writes_no_files(program: Program) -> None:
    lines = ("try: open('written', 'w').write('x' * 10)", "except OSError: pass", "seen = os.path.getsize('written')")
    assert program(*lines).detail == "0"


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("os.abort()", ("failed", "the content made the parser crash (signal 6): the file may be damaged")),
        ("1 / 0", ("failed", "the content made the parser crash (exit 1): the file may be damaged")),
        ("os._exit(0)", ("failed", "the content made the parser crash (exit 0): the file may be damaged")),
        ("os.kill(os.getpid(), 9)", ("limited", "the content needs more memory than parsing may use")),
        (
            "print('memory allocation of 9 bytes failed', file=sys.stderr, flush=True); os.abort()",
            ("limited", "the content needs more memory than parsing may use"),
        ),
    ],
)
def test_an_end_of_the_child_is_the_files_failure(program: Program, line: str, outcome: tuple[str, str]) -> None:
    ended = program(line)
    assert (ended.status, ended.detail, ended.result) == (*outcome, b"")


@pytest.mark.parametrize(
    "line",
    [
        "print('nonsense'); seen = 1",
        "print('[]')",
        "print('[' * 100_000)",
        "print(json.dumps({'status': 'pending', 'detail': ''})); os._exit(0)",
        "print(json.dumps({'status': 'ready', 'detail': 5}), flush=True); os._exit(0)",
        "print(json.dumps({'status': 'ready', 'detail': ''}) + '\\n{}', flush=True); os._exit(0)",
        "print(json.dumps({'status': 'ready', 'detail': ''}) + '\\n' + '[' * 100_000, flush=True); os._exit(0)",
    ],
)
def test_what_the_child_says_is_not_trusted(program: Program, line: str) -> None:
    outcome = program(line)
    assert (outcome.status, outcome.result) == ("failed", b"")


def test_a_child_that_talks_without_end_is_not_listened_to(program: Program) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = program("while True: print('x' * (1 << 20))")
    assert outcome.status == "failed"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_child_may_complain_at_length(program: Program) -> None:
    outcome = program("print('x' * (1 << 20), file=sys.stderr)", "seen = 'done'")
    assert (outcome.status, outcome.detail) == ("ready", "done")


def test_what_the_parser_needed_is_logged(reader: Reader, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("traffic_cop")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger.name):
            outcome = reader.sandboxed(b"a,b\n1,2\n", "x.csv")
    finally:
        logger.removeHandler(caplog.handler)
    read = json.loads(caplog.messages[-1])
    assert (read["event"], read["form"], read["status"]) == ("parse.read", "delimited", "ready")
    assert 4 << 20 < read["peak_bytes"] == outcome.peak_bytes < 64 << 20
    assert read["confined"] is (sys.platform == "linux")


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
