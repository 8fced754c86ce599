"""A hostile file costs nothing but its own entry, whatever it makes the extractor do."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.extraction.children import Looker, looking
from index.extraction.naughty import NAUGHTY
from workspacesio.index.extraction.nursery_client import NurseryLost
from workspacesio.index.extraction.protocol import Limits
from workspacesio.index.extraction.syscall_filter import filter_program

LIMITS = Limits(seconds=2.0, processor_seconds=1, memory=128 << 20, most_read=1 << 20)
TEXT = b"some text\n" * 10


@pytest.fixture(scope="module")
def look() -> Iterator[Looker]:
    os.environ["WIO_SECRET"] = "the-secret-of-this-server"
    with looking(NAUGHTY, LIMITS) as looker:
        yield looker
    del os.environ["WIO_SECRET"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("allocate", "Its content is not read: that takes more than 128 MiB of memory."),
        ("sleep", "Its content is not read: reading it takes more than 2 seconds."),
        ("spin", "Its content is not read: reading it takes more than "),
        ("crash", "Its content is not read: it broke the program that reads such files (SIGSEGV)."),
        ("leave", "Its content is not read: it ended the program that reads such files."),
        ("recurse", "Its content is not read: it is nested too deep."),
        ("no_answer", "The extractor no_answer gave no answer."),
        ("absent", "Its content can't be read (ModuleNotFoundError: No module named 'no')."),
        (
            "lacking",
            "Its content is not read: pip install 'workspacesio[extract]' on the server adds no_such_library.",
        ),
    ],
)
def test_each_is_a_sentence_and_the_next_file_is_read(kind: str, says: str, look: Looker) -> None:
    began = time.monotonic()
    found = look(f"a.{kind}", TEXT)
    assert found.problem.startswith(says)
    assert found.content_type in ("text/plain", "")
    assert time.monotonic() - began < 10
    assert look("a.threads", TEXT).facts == {"threads": "1"}


def test_the_processor_is_limited_and_not_only_the_clock() -> None:
    limits = Limits(seconds=60.0, processor_seconds=1, memory=128 << 20)
    with looking(NAUGHTY, limits) as look:
        assert "more than 1 seconds of a processor" in look("a.spin", TEXT).problem


def test_nothing_of_the_server_is_inherited(look: Looker) -> None:
    found = look("a.environment", TEXT)
    assert found.facts["secret"] == "None"
    assert "WIO_SECRET" not in found.facts["names"]
    assert "secret" not in found.text


def test_what_a_reader_needs_not_is_refused(look: Looker) -> None:
    found = look("a.attempts", TEXT)
    assert look.slot.locks == ["capabilities", "landlock", "seccomp"]
    done = {name: said for name, said in found.facts.items() if said.startswith("done")}
    assert done == {}
    assert len(found.facts) == 24
    assert not Path("/tmp/written-by-an-extractor").exists()


def test_answers_are_cut_to_the_limits(look: Looker) -> None:
    found = look("a.give_nonsense", TEXT)
    assert len(found.facts) == LIMITS.facts
    assert {len(value) for value in found.facts.values()} == {LIMITS.fact_characters}
    assert len(found.text) == LIMITS.text_characters
    assert len(found.content_type) <= 255
    assert found.content_type.isprintable()
    assert len(found.problem) <= 500
    assert found.problem.isprintable()


def test_only_so_much_is_read(look: Looker) -> None:
    says = "Its content is not read: that takes more than 1 MiB of it."
    content = b"text " * 200_000
    assert look("a.read_all", content[: 400 << 10]).problem == ""
    assert look("a.read_all", content).problem == says
    asked = look.by_ranges("a.read_all", content)
    assert asked.problem == says
    assert asked.bytes_asked <= len(content) + (1 << 20)


def test_a_server_that_fails_is_said(look: Looker) -> None:
    from workspacesio.index.extraction.pool import File

    found = look.slot.look(1, File("a.read_all", 5000, read_at=lambda _offset, _length: b""), content=True)
    assert found.problem == "It could not be read from its server."


def test_a_child_sees_files_of_one_workspace_only(look: Looker) -> None:
    look.workspace_id = 7
    look("a.remember", b"one of seven")
    assert look("b.remember", b"two of seven").text == "one of seven two of seven"
    look.workspace_id = 8
    assert look("a.remember", b"of eight").text == "of eight"
    look.workspace_id = 1


def test_a_lost_nursery_is_replaced(look: Looker) -> None:
    assert look("a.threads", TEXT).problem == ""
    process = look.nursery._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(NurseryLost):
        look("a.threads", TEXT)
    assert look("a.threads", TEXT).facts == {"threads": "1"}


def test_children_end_with_the_server(tmp_path: Path) -> None:
    """Killed, so that it can't tidy up."""
    program = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from index.extraction.children import looking
from index.extraction.naughty import NAUGHTY
with looking(NAUGHTY) as look:
    look("a.threads", b"text")
    look("a.threads", b"text")  # by the child that stays
    print(look.nursery._process.pid, look.slot._pid, flush=True)
    look("a.sleep", b"text")
"""
    tests = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", program, tests], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pids = [int(pid) for pid in server.stdout.readline().split()]
        server.kill()
    deadline = time.monotonic() + 10
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if _lives(pid)] == []


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as status:
            return status.read().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("lock", ["landlock", "seccomp"])
def test_one_lock_holds_without_the_other(lock: str) -> None:
    """In a process of its own, since nothing that is given up comes back."""
    program = f"""
import ctypes, sys
from workspacesio.index.extraction import confinement, syscall_filter
libc = confinement._LIBC
open("/etc/passwd").close()
if {lock!r} == "landlock":
    assert confinement._restrict_files(["/usr"])
else:
    libc.prctl(38, 1, 0, 0, 0)
    assert syscall_filter.install_filter(libc)
try:
    open("/tmp/written-by-an-extractor", "w")
except PermissionError:
    print("refused")
"""
    prefix = "import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"
    done = subprocess.run([sys.executable, "-c", prefix + program], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_lands_in_it(machine: str) -> None:
    program = filter_program(machine)
    steps = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    assert len(steps) < 4096
    for number, (code, if_true, if_false, _) in enumerate(steps):
        if code & 7 == 5:
            assert number + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1][0] == 6


def test_a_kernel_without_a_lock_is_said_once(look: Looker, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        look.nursery.note_locks(["capabilities", "seccomp"])
    assert [record.getMessage() for record in caplog.records] == [
        "Contents are read without landlock, which this kernel lacks or refuses."
    ]


def test_limits_of_a_child_are_the_ones_given(look: Looker) -> None:
    assert look("a.threads", TEXT).problem == ""
    pid = look.slot._pid
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_AS)[1] < 2 << 30
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")[0].startswith(b"PATH=")
