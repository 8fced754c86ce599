"""Hands files to confined children, one after the other, and ends a child that takes too much.

A child is kept for the files of one workspace, so that what a hostile file does to it can't reach those of others,
and for `Limits.files_per_child` of them. A file that ends its child costs its own entry, and a fork.
"""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from workspacesio.index.extraction.nursery_client import START_SECONDS, Nursery, NurseryLost
from workspacesio.index.extraction.printable import one_line, printable
from workspacesio.index.extraction.protocol import LIMITS, MEBIBYTE, Limits
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.wire import BrokenMessage, receive_json, send, send_json

_CONTENT_TYPE_CHARACTERS = 255
_PROBLEM_CHARACTERS = 500
_NAME_CHARACTERS = 100
_LAST_SECONDS = 1.0
"""For a child that closed its end to be gone by itself, so that how it ended can be told."""


@dataclass(frozen=True, slots=True)
class File:
    """What a child is handed: a descriptor, or a function that gives bytes at an offset, b'' if it can't."""

    name: str
    size: int
    fd: int | None = None
    read_at: Callable[[int, int], bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a child found, cut to the limits. `extractor` is the name of the one that was asked, or ''.

    `bytes_asked`: how much was handed over through `File.read_at`.
    """

    content_type: str = ""
    extractor: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    problem: str = ""
    bytes_asked: int = 0


class Slot:
    """A child at work, or none. For one thread at a time."""

    def __init__(self, nursery: Nursery, registry: Registry, limits: Limits = LIMITS) -> None:
        self._nursery = nursery
        self._registry = registry
        self._limits = limits
        self._pid = 0
        self._stream: socket.socket | None = None
        self._workspace_id = 0
        self._files = 0
        self.locks: list[str] = []
        """What confines the child of the moment: `landlock`, `seccomp`, `capabilities`."""

    def look(self, workspace_id: int, file: File, *, content: bool) -> Findings:
        """What a child finds in the file. Raises NurseryLost; anything else that goes wrong is a `problem`."""
        if self._stream and (workspace_id != self._workspace_id or self._files >= self._limits.files_per_child):
            self.retire()
        stream = self._stream or self._begin(workspace_id)
        self._files += 1
        waiting = _Waiting(self._limits.seconds)
        try:
            stream.settimeout(self._limits.seconds)
            self._limit_processor()
            send_json(stream, {"name": file.name, "size": file.size, "content": content}, file.fd)
            found = self._answers(stream, file, waiting)
        except TimeoutError:
            self._end(patience=0)
            return self._lost(waiting, f"reading it takes more than {self._limits.seconds:g} seconds")
        except (OSError, BrokenMessage):
            return self._lost(waiting, self._why(self._end(patience=_LAST_SECONDS)))
        return self._cut(found, waiting.bytes_asked)

    def retire(self) -> None:
        """Let the child end."""
        if self._stream is not None:
            with suppress(NurseryLost):
                self._end(patience=0)

    def _begin(self, workspace_id: int) -> socket.socket:
        self._pid, stream = self._nursery.fork()
        self._stream, self._workspace_id, self._files = stream, workspace_id, 0
        try:
            stream.settimeout(START_SECONDS)
            hello = receive_json(stream)
        except (OSError, BrokenMessage):
            hello = None
        if hello is None:
            self._end(patience=0)
            raise NurseryLost("A process that reads contents could not be made.")
        self.locks = list(hello[0]["locks"])
        self._nursery.note_locks(self.locks)
        return stream

    def _answers(self, stream: socket.socket, file: File, waiting: "_Waiting") -> dict[str, Any]:
        while True:
            received = receive_json(stream, waiting.until)
            if received is None:
                raise BrokenMessage
            message, fd = received
            if fd is not None:
                os.close(fd)
            if not isinstance(message, dict):
                raise BrokenMessage
            found = message.get("found")
            if isinstance(found, dict):
                return found
            handed = self._handed(file, message.get("read"), waiting)
            stream.settimeout(self._limits.seconds)
            send(stream, handed)

    def _handed(self, file: File, wanted: object, waiting: "_Waiting") -> bytes:
        """What a child asks for, after a byte 1; nothing when it can't be had, or it asks for what it may not."""
        if (
            file.read_at is None
            or not isinstance(wanted, list)
            or [type(number) for number in wanted] != [int, int]
        ):
            raise BrokenMessage
        offset, length = wanted
        length = min(length, file.size - offset, MEBIBYTE)
        if offset < 0 or length < 0 or waiting.bytes_asked + length > self._limits.most_read + MEBIBYTE:
            return b""
        began = time.monotonic()
        found = file.read_at(offset, length) if length else b""
        waiting.until += time.monotonic() - began
        waiting.bytes_asked += len(found)
        return b"\1" + found if len(found) == length else b""

    def _limit_processor(self) -> None:
        """The child may use so many seconds more; it can't change that itself (`syscall_filter`)."""
        with open(f"/proc/{self._pid}/stat", "rb") as status:
            user, system = status.read().rpartition(b")")[2].split()[11:13]
        used = (int(user) + int(system)) // os.sysconf("SC_CLK_TCK")
        most = used + self._limits.processor_seconds + 1
        resource.prlimit(self._pid, resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))

    def _end(self, *, patience: float) -> int:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        return self._nursery.ended(self._pid, patience)

    def _why(self, status: int) -> str:
        if not os.WIFSIGNALED(status):
            return "it ended the program that reads such files"
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return f"reading it takes more than {self._limits.processor_seconds} seconds of a processor"
        if number == signal.SIGKILL:
            return "the program that reads such files was ended, maybe for want of memory"
        return f"it broke the program that reads such files ({signal.Signals(number).name})"

    def _lost(self, waiting: "_Waiting", why: str) -> Findings:
        return Findings(problem=f"Its content is not read: {why}.", bytes_asked=waiting.bytes_asked)

    def _cut(self, found: dict[str, Any], bytes_asked: int) -> Findings:
        limits = self._limits
        extractor = self._registry.named(one_line(found.get("extractor"), _NAME_CHARACTERS))
        if extractor is not None and self._nursery.use(extractor):
            self.retire()  # it has loaded what the next one has from the nursery, at the cost of its own memory
        facts = found.get("facts")
        listed = list(facts.items())[: limits.facts] if isinstance(facts, dict) else []
        text = found.get("text")
        text = printable(text[: limits.text_characters]) if isinstance(text, str) else ""
        return Findings(
            content_type=one_line(found.get("content_type"), _CONTENT_TYPE_CHARACTERS),
            extractor=extractor.name if extractor else "",
            facts={
                one_line(name, _NAME_CHARACTERS): one_line(value, limits.fact_characters) for name, value in listed
            },
            text=text.encode()[: limits.text_bytes].decode(errors="ignore"),
            problem=one_line(found.get("problem"), _PROBLEM_CHARACTERS),
            bytes_asked=bytes_asked,
        )


class _Waiting:
    """Until when a file's findings are waited for (what the parent needs doesn't count), and what it asked for."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.bytes_asked = 0
