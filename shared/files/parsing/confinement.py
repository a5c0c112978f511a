"""What a process that reads untrusted files may ask of Linux: to read, to think, to end. No network, no other process.

A filter of system calls (seccomp) needs no privilege, so that it works wherever Lambda runs. It is beside the limits
and not in their stead: where the kernel knows no filters, `confine` says so and the parser runs without.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable
from typing import Final

_SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVILEGES = 4, 22, 38
_FILTER_MODE: Final = 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000
# From here on are the calls of another calling convention (x32).
_FOREIGN: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Name → number on x86_64 and on aarch64, 0 where there is none.
_REFUSED: Final = {
    **{"socket": (41, 198), "socketpair": (53, 199), "io_uring_setup": (425, 425)},
    **{"execve": (59, 221), "execveat": (322, 281), "fork": (57, 0), "vfork": (58, 0)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424)},
    **{"kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
    **{"creat": (85, 0), "truncate": (76, 45), "ftruncate": (77, 46), "unlink": (87, 0), "unlinkat": (263, 35)},
    **{"rename": (82, 0), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, 0), "linkat": (265, 37)},
    **{"symlink": (88, 0), "symlinkat": (266, 36), "mkdir": (83, 0), "mkdirat": (258, 34), "rmdir": (84, 0)},
    **{"chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, 0), "fchownat": (260, 54)},
    **{"mount": (165, 40), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280)},
    **{"userfaultfd": (323, 282), "perf_event_open": (298, 241), "add_key": (248, 217), "keyctl": (250, 219)},
}
# Their arguments lie behind a pointer, where no filter sees them; callers fall back to the older calls.
_UNKNOWN: Final = {"clone3": (435, 435), "openat2": (437, 437)}
_CLONE, _TGKILL, _PRLIMIT = (56, 220), (234, 131), (302, 261)
_OPEN, _OPENAT = (2, 0), (257, 56)
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine() -> bool:
    """From now on this process opens files for reading only; threads, but neither processes nor sockets. Irrevocable.

    To be called before other threads exist. False where that cannot be had.
    """
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    instructions = list(_instructions(*machine))
    program = _Program(len(instructions), b"".join(struct.pack("=HBBI", *one) for one in instructions))
    return _prctl(_SET_NO_NEW_PRIVILEGES, 1) and _prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(program))


def close_to_children() -> None:
    """Keeps this process's memory and environment, where credentials are, from processes of the same user."""
    if sys.platform == "linux":
        _prctl(_SET_DUMPABLE, 0)


def _prctl(option: int, *arguments: int) -> bool:
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    return bool(ctypes.CDLL(None).prctl(option, *padded) == 0)


def _instructions(machine: int, identity: int) -> Iterable[Instruction]:
    refuse = _refuse(errno.EPERM)
    yield from ((_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, identity), refuse)
    yield from ((_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _FOREIGN), refuse)
    for numbers in filter(lambda numbers: numbers[machine], _REFUSED.values()):
        yield from ((_EQUAL, 0, 1, numbers[machine]), refuse)
    for numbers in _UNKNOWN.values():
        yield from ((_EQUAL, 0, 1, numbers[machine]), _refuse(errno.ENOSYS))
    yield from _only_with(_CLONE[machine], 0, (_ANY_BIT, 0, 1, _CLONE_THREAD))
    yield from _only_with(_TGKILL[machine], 0, (_EQUAL, 0, 1, os.getpid()))
    yield from _only_with(_PRLIMIT[machine], 0, (_EQUAL, 0, 1, 0))
    yield from _only_with(_OPENAT[machine], 2, (_ANY_BIT, 1, 0, _WRITING))
    if _OPEN[machine]:
        yield from _only_with(_OPEN[machine], 1, (_ANY_BIT, 1, 0, _WRITING))
    yield (_RETURN, 0, 0, _ALLOW)


def _only_with(number: int, argument: int, test: Instruction) -> Iterable[Instruction]:
    # The test goes on to the next instruction to allow, and past it to refuse.
    yield from ((_EQUAL, 0, 4, number), (_LOAD, 0, 0, _ARGUMENTS + 8 * argument), test)
    yield from ((_RETURN, 0, 0, _ALLOW), _refuse(errno.EPERM))


def _refuse(error: int) -> Instruction:
    return (_RETURN, 0, 0, _REFUSE | error)
