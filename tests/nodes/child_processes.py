"""Processes of a test: forked, so that they start at once, and always waited for."""

import asyncio
import os
import signal
import traceback
from collections.abc import Awaitable, Callable
from typing import Any


class Child:
    """Runs an asynchronous function in a process of its own, with a pipe for its lines."""

    def __init__(self, work: Callable[["Child"], Awaitable[Any]]) -> None:
        self._read, self._write = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(self._write)
            return
        status = 1
        try:
            os.close(self._read)
            asyncio.run(self._whole(work))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    async def _whole(self, work: Callable[["Child"], Awaitable[Any]]) -> None:
        await work(self)

    def say(self, line: str) -> None:
        """In the child: one write of under 4 KiB, so that lines of a child that is killed are whole."""
        os.write(self._write, line.encode() + b"\n")

    def kill(self) -> list[str]:
        """In the parent: SIGKILL now; returns what the child said."""
        os.kill(self.pid, signal.SIGKILL)
        return self._end()[1]

    def join(self) -> list[str]:
        """In the parent: wait for its end, which must be a good one; returns what the child said."""
        status, lines = self._end()
        assert status == 0, "a child process failed; its traceback is above"
        return lines

    def _end(self) -> tuple[int, list[str]]:
        with open(self._read, "rb") as pipe:
            lines = pipe.read().decode().splitlines()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), lines
