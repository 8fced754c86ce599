"""A process that changes the database as another server of the same service does, when it is told to.

Run as a script it reads one SQL statement a line, each written in a transaction of its own, and answers with the
generation after it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sqlalchemy import text

from workspacesio.database.sessions import Database


class OtherProcess:
    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders, self._answers = orders, answers

    def execute(self, *statements: str) -> int:
        """Returns the generation once the statements have been committed together."""
        self._orders.write(json.dumps(statements) + "\n")
        self._orders.flush()
        return int(self._answers.readline())


@contextmanager
def other_process(url: str) -> Iterator[OtherProcess]:
    command = [sys.executable, "-m", "services.other_process", url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield OtherProcess(process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(10) == 0


def _obey(url: str) -> None:
    database = Database(url)
    for line in sys.stdin:
        with database.write() as session:
            for statement in json.loads(line):
                session.execute(text(statement))
        print(database.generation(), flush=True)
    database.dispose()


if __name__ == "__main__":
    _obey(sys.argv[1])
