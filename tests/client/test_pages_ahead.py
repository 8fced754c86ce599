"""Listings whose next page is asked for while one is gone through."""

from __future__ import annotations

import threading
import time

import pytest

from workspacesio.client.errors import CommandError
from workspacesio.client.pages_ahead import pages
from workspacesio.client.s3_documents import Page

ALL = 5


class Server:
    """Pages 0 to ALL - 1; which were asked for, and whether the asking thread ended its connection."""

    def __init__(self, fails_at: int = ALL) -> None:
        self.asked: list[int] = []
        self.ended = threading.Event()
        self._fails_at = fails_at

    def ask(self, token: str) -> Page:
        number = int(token or 0)
        self.asked.append(number)
        if number == self._fails_at:
            raise CommandError("it is so.")
        return Page([], [f"{number}/"], str(number + 1) if number + 1 < ALL else "")

    def folders(self) -> list[str]:
        return [folder for page in pages(self.ask, self.ended.set) for folder in page.folders]


def test_all_pages_come_once_and_in_order() -> None:
    server = Server()
    assert server.folders() == [f"{number}/" for number in range(ALL)]
    assert server.asked == [*range(ALL)]
    assert server.ended.wait(5)


def test_one_page_is_asked_for_ahead_and_no_more() -> None:
    server = Server()
    coming = pages(server.ask, server.ended.set)
    next(coming)
    assert server.asked == [0]  # who wants the first alone asks for no other
    next(coming)
    deadline = time.monotonic() + 5
    while len(server.asked) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)
    assert server.asked == [0, 1, 2]
    coming.close()
    assert server.ended.wait(5)


@pytest.mark.parametrize("page", [0, 1, 3])
def test_what_goes_wrong_is_told_in_its_place(page: int) -> None:
    server = Server(fails_at=page)
    coming = pages(server.ask, server.ended.set)
    for number in range(page):
        assert next(coming).folders == [f"{number}/"]
    with pytest.raises(CommandError, match="it is so"):
        next(coming)
