"""What the parser's process may not ask of the kernel, whatever code a file might get to run in it."""

import os
import subprocess
import sys

import pytest

from shared.files.parsing import confinement
from tests.files.parsing.conftest import Program, Reader

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's filters of system calls")
CONFINED = "from shared.files.parsing.confinement import confine; assert confine()"
IMPORTS = "import ctypes, resource, signal, socket, threading; libc = ctypes.CDLL(None, use_errno=True)"


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket()",
        "socket.socketpair()",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "open('content', 'r+b')",
        "open('other', 'w')",
        "os.truncate('content', 0)",
        "os.unlink('content')",
        "os.rename('content', 'other')",
        "os.mkdir('other')",
        "os.chmod('content', 0)",
    ],
)
def test_a_confined_process_may_not(program: Program, reader: Reader, attempt: str) -> None:
    lines = (IMPORTS, CONFINED, f"try: seen = {attempt}", "except OSError as error: seen = error.errno")
    assert program(*lines).detail == "1"
    assert (reader.folder / "content").read_bytes() == b"x"


@pytest.mark.parametrize("arguments", ["16, os.getppid(), 0, 0", "0, 0, 0, 0"])
def test_a_confined_process_may_not_trace_others(program: Program, arguments: str) -> None:
    lines = (IMPORTS, CONFINED, f"seen = libc.ptrace({arguments}), ctypes.get_errno()")
    assert program(*lines).detail == "(-1, 1)"


def test_a_confined_process_reads_thinks_and_ends(program: Program) -> None:
    thread = "one = threading.Thread(target=lambda: print(flush=True, end='')); one.start(); one.join()"
    lines = (IMPORTS, CONFINED, thread, "import decimal", "seen = open('content').read(), resource.getrlimit(0)[0]")
    assert program(*lines).detail == "('x', 5)"
    assert program(CONFINED, "os.abort()").detail.startswith("the content made the parser crash (signal 6)")


def test_calls_of_another_processor_or_convention_are_refused() -> None:
    for machine, identity in confinement._MACHINES.values():
        program = list(confinement._instructions(machine, identity))
        assert program[1] == (confinement._EQUAL, 1, 0, identity)
        assert program[4] == (confinement._AT_LEAST, 0, 1, 0x40000000)
        assert program[2] == program[5] == (confinement._RETURN, 0, 0, 0x00050001)


def test_another_machine_says_that_it_is_not_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert confinement.confine() is False


SPIED = """
import os, sys
from shared.files.parsing import confinement
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
confinement._prctl(confinement._SET_DUMPABLE, 1)
def spy():
    if os.fork() == 0:
        try:
            print("hidden" in open(f"/proc/{os.getppid()}/environ").read(), flush=True)
        except PermissionError as error:
            print(error.strerror, flush=True)
        os._exit(0)
    os.wait()
spy()
confinement.close_to_children()
spy()
"""


def test_the_environment_of_the_function_is_closed_to_its_children() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "SECRET": "hidden"}
    spied = subprocess.run([sys.executable, "-c", SPIED], env=environment, capture_output=True, check=True)
    assert spied.stdout.decode().splitlines() == ["True", "Permission denied"]
