"""What a child gives up before it looks at a stranger's file. Nothing given up comes back.

Limits on memory and descriptors, no core dumps, the lowest priority, no capabilities (capabilities(7)), then where
the kernel has them Landlock (landlock(7): no file can be opened but the installed programs, to be read; no TCP; no
signals to others) and a seccomp filter (`syscall_filter`: no sockets, programs, processes, writing or renaming).
Each is a lock of its own: with one broken or missing the others still hold.
"""

import ctypes
import os
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Sequence

from workspacesio.index.extraction.syscall_filter import install_filter

_LIBC = ctypes.CDLL(None, use_errno=True)

# prctl(2)
_SET_PDEATHSIG = 1
_SET_NO_NEW_PRIVS = 38
_SET_DUMPABLE = 4

# System calls that libc has no function for; one number on every architecture since 2019.
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT_SELF = 446
_CAPSET = {"x86_64": 126, "aarch64": 91}
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_CAPABILITY_VERSION_3 = 0x20080522
_IDLE_CLASS = 3 << 13

# linux/landlock.h
_VERSION_OF_ABI = 1
_RULE_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_BIND_AND_CONNECT = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3

LOCKS = ("capabilities", "landlock", "seccomp")
MOST_DESCRIPTORS = 64
_PROGRAMS = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/nix/store")


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    _LIBC.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def be_last_in_line() -> None:
    """Whatever else the machine has to do goes first, on its processors and its disks."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    if number := _IOPRIO_SET.get(os.uname().machine):
        _LIBC.syscall(number, 1, 0, _IDLE_CLASS)


def limit_resources(memory: int) -> None:
    """`memory`: bytes beyond what the process has now."""
    with open("/proc/self/statm", "rb") as status:
        now = int(status.read().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, now + memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MOST_DESCRIPTORS),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def confine(readable: Sequence[str]) -> list[str]:
    """Give up files, network and processes; `readable` are folders of programs. Returns the locks that hold."""
    _LIBC.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _LIBC.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    locks = []
    if _drop_capabilities():
        locks.append("capabilities")
    if _restrict_files([*readable, *_PROGRAMS]):
        locks.append("landlock")
    if install_filter(_LIBC):
        locks.append("seccomp")
    else:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # no more processes, and no threads
    return locks


def program_folders() -> list[str]:
    """Where modules and their libraries are loaded from. What lies beside them may be the server's own state."""
    standard = sysconfig.get_paths()
    folders = {standard[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {os.path.dirname(standard["stdlib"]), *sys.path}
    return sorted(os.path.realpath(path) for path in folders if os.path.isabs(path) and path != "/")


def _drop_capabilities() -> bool:
    number = _CAPSET.get(os.uname().machine)
    if number is None:
        return False
    head = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(bytes(24))
    return bool(_LIBC.syscall(number, head, nothing) == 0)


def _restrict_files(readable: Sequence[str]) -> bool:
    abi = _LIBC.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _VERSION_OF_ABI)
    if abi < 1:
        return False
    handled = [_FILE_RIGHTS_BY_ABI[min(abi, 5)]]
    handled += [_TCP_BIND_AND_CONNECT] if abi >= 4 else []
    handled += [_ABSTRACT_SOCKETS_AND_SIGNALS] if abi >= 6 else []
    attributes = struct.pack(f"={len(handled)}Q", *handled)
    ruleset = _LIBC.syscall(
        _LANDLOCK_CREATE_RULESET, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0
    )
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _let_read(ruleset, path)
        return bool(_LIBC.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _let_read(ruleset: int, path: str) -> None:
    """A path that isn't there is no rule."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | _EXECUTE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        _LIBC.syscall(_LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)
