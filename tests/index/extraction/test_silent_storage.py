"""A root whose storage takes a call and never answers holds up the contents of no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from index.extraction.extracting import Extracting
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.extraction import looking, task, walks
from workspacesio.services.crawl_requests import set_indexing


def test_a_root_that_does_not_answer_holds_up_no_contents_of_others(
    extracting: Extracting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are as many dead files as can be under way at once, and more."""
    world = extracting.world
    monkeypatch.setattr(task, "HANGS_SECONDS", 0.3)
    monkeypatch.setattr(walks, "SETTINGS_SECONDS", 0.2)
    dead, other = world.add_root("dead", "dead/"), world.add_root("other", "other/")
    for name, root in (("dead", dead), ("other", other)):
        world.add_workspace(f"{name}/", root_id=root)
        for number in range(8):
            world.write(f"{name}/{name}{number}.txt", f"{name} {number}".encode())
        with world.database.write() as session:
            set_indexing(session, root_id=root, level=IndexLevel.CONTENT, now=world.now)
        world.crawl(root_id=root)
    world.recorder.commit()
    answers, asked = threading.Event(), list[str]()
    real = looking.opened

    @contextmanager
    def opened(driver: Any, scope: Any, due: Any) -> Iterator[Any]:
        if scope.boundary == "dead/":
            asked.append(due.path)
            answers.wait()
        with real(driver, scope, due) as source:
            yield source

    monkeypatch.setattr(looking, "opened", opened)

    def read(name: str) -> int:
        return sum(
            path.endswith(".txt") and one.text.startswith(name) for path, one in extracting.contents().items()
        )

    def step_until(name: str, count: int) -> None:
        deadline = time.monotonic() + 20
        while read(name) != count:
            time.sleep(min(extracting.task.step(), 0.02))
            assert time.monotonic() < deadline, f"{read(name)} of {name} were read"

    try:
        step_until("other", 8)
        assert 0 < len(asked) <= 4, "the others of that root wait"
        assert read("dead") == 0
    finally:
        answers.set()
    step_until("dead", 8)
    extracting.settle()
    assert not extracting.task._hanging
    assert extracting.task._free.qsize() == extracting.task._children, "as many at once as before"
