"""Extractors that do what a library might be made to do by a hostile file. They run in children only."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from workspacesio.index.extraction.protocol import Extracted, Extractor, GivenFile
from workspacesio.index.extraction.registry import Registry


def _tried(attempt: Callable[[], object]) -> str:
    try:
        return f"done: {attempt()!r}"
    except BaseException as error:
        return type(error).__name__


def allocate(_file: GivenFile) -> Extracted:
    held = []
    while True:
        held.append(bytearray(16 << 20))


def sleep(_file: GivenFile) -> Extracted:
    time.sleep(3600)
    return Extracted()


def spin(_file: GivenFile) -> Extracted:
    while True:
        pass


def crash(_file: GivenFile) -> Extracted:
    ctypes.string_at(1)
    return Extracted()


def leave(_file: GivenFile) -> Extracted:
    os._exit(0)


def recurse(file: GivenFile) -> Extracted:
    return recurse(file)


def give_nonsense(_file: GivenFile) -> Extracted:
    return Extracted(
        facts={f"k{number}": "v" * 10_000 for number in range(1000)},
        text="t" * 10_000_000 + "\ud800",
        content_type="a\nb\x00" * 1000,
        problem="p\x1b[31m" * 1000,
    )


def read_all(file: GivenFile) -> Extracted:
    with file.open() as stream:
        while stream.read(1 << 20):
            pass
        stream.seek(0)
        while stream.read(1 << 20):
            pass
    return Extracted()


def environment(_file: GivenFile) -> Extracted:
    native = ctypes.CDLL(None).getenv
    native.restype = ctypes.c_char_p
    return Extracted(
        facts={"names": ",".join(sorted(os.environ)), "secret": str(native(b"WIO_SECRET"))},
        text=" ".join(sys.argv),
    )


def attempts(_file: GivenFile) -> Extracted:
    """Each by itself; `Extracted.facts` says what came of it."""
    inet, unix = socket.AF_INET, socket.AF_UNIX
    tries: dict[str, Callable[[], object]] = {
        "socket": lambda: socket.socket(inet, socket.SOCK_STREAM).connect(("127.0.0.1", 9)),
        "udp": lambda: socket.socket(inet, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "unix": lambda: socket.socket(unix, socket.SOCK_STREAM),
        "fork": os.fork,
        "program": lambda: subprocess.run(["/bin/true"], check=True),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "read": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "list": lambda: os.listdir("/"),
        "own memory": lambda: os.open("/proc/self/mem", os.O_RDWR),
        "parent": lambda: os.open(f"/proc/{os.getppid()}/environ", os.O_RDONLY),
        "again": lambda: os.open("/proc/self/fd/3", os.O_RDWR),
        "write": lambda: os.open("/tmp/written-by-an-extractor", os.O_WRONLY | os.O_CREAT),
        "temporary": tempfile.mkstemp,
        "memory file": lambda: os.memfd_create("x"),
        "remove": lambda: os.unlink("/tmp/does-not-exist"),
        "kill parent": lambda: os.kill(os.getppid(), signal.SIGKILL),
        "kill all": lambda: os.kill(-1, signal.SIGKILL),
        "raise limits": lambda: __import__("resource").setrlimit(7, (1000, 1000)),
        "trace": lambda: _system_call(101, 16, os.getppid(), 0, 0),
        "user": lambda: os.setuid(0),
        "namespace": lambda: _system_call(272, 0x40000000),
        "io_uring": lambda: _system_call(425, 8, 0),
        "x32": lambda: _system_call(0x40000000 + 39),
    }
    return Extracted(facts={name: _tried(attempt) for name, attempt in tries.items()})


def _system_call(*arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return int(result)


def threads(_file: GivenFile) -> Extracted:
    """What libraries may go on doing."""
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(1))
    thread.start()
    thread.join()
    return Extracted(facts={"threads": str(len(seen))})


def no_answer(_file: GivenFile) -> None:
    return None


_state: list[str] = []


def remember(file: GivenFile) -> Extracted:
    """What it saw before in this process."""
    with file.open() as stream:
        _state.append(stream.read(20).decode())
    return Extracted(text=" ".join(_state))


NAUGHTY = Registry(
    [
        Extractor(function.__name__, 1, (), f"{__name__}:{function.__name__}", extensions=(function.__name__,))
        for function in (
            allocate,
            sleep,
            spin,
            crash,
            leave,
            recurse,
            give_nonsense,
            read_all,
            environment,
            attempts,
            threads,
            no_answer,
            remember,
        )
    ]
    + [
        Extractor("absent", 1, (), "no.such.module:extract", extensions=("absent",)),
        Extractor("lacking", 3, (), "no:extract", libraries=("no_such_library",), extensions=("lacking",)),
    ]
)
"""By the extension of a file's name."""
