"""Long listings: while one page is gone through, the server makes the next one."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from workspacesio.client.s3_documents import Page

INTERRUPTIBLE_SECONDS = 0.2
"""^C is heard so soon where it can't end a wait."""


def pages(ask: Callable[[str], Page], end: Callable[[], None]) -> Generator[Page, None, None]:
    """All pages, in order. Raises what `ask` raises.

    `ask`: for the one of a token, "" for the first. `end`: the connection of the thread that calls it.
    """
    page = ask("")
    yield page
    if not page.token:
        return
    ahead = _Ahead(ask, end, page.token)
    try:
        while page.token:
            page = ahead.next()
            yield page
    finally:
        ahead.stop()


class _Ahead:
    """A thread that asks for the page behind the one that was taken last."""

    def __init__(self, ask: Callable[[str], Page], end: Callable[[], None], token: str) -> None:
        self._ask = ask
        self._end = end
        self._came: SimpleQueue[Page | BaseException] = SimpleQueue()
        self._wanted = threading.Semaphore(1)
        self._stopped = False
        threading.Thread(target=self._run, args=(token,), name="pages", daemon=True).start()

    def next(self) -> Page:
        while True:
            try:
                came = self._came.get(timeout=INTERRUPTIBLE_SECONDS)
            except Empty:
                continue
            self._wanted.release()
            if isinstance(came, BaseException):
                raise came
            return came

    def stop(self) -> None:
        """It isn't waited for: its last page may be long in coming."""
        self._stopped = True
        self._wanted.release()

    def _run(self, token: str) -> None:
        try:
            while token:
                self._wanted.acquire()
                if self._stopped:
                    return
                page = self._ask(token)
                self._came.put(page)
                token = page.token
        except BaseException as error:  # it is raised where the page is taken
            self._came.put(error)
        finally:
            self._end()
