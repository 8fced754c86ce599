"""Drivers of nodes for a thread that must not wait: storage that may take a call and never answer is asked first.

Asking is done in a thread that is left behind where nothing comes; until it comes, nobody asks again.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workspacesio.index.places import Place
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.nodes.folder.driver import FolderDriver

PATIENCE_SECONDS = 3.0
"""Of one round, for all that is asked in it."""


@dataclass(slots=True)
class _Asked:
    answered: threading.Event = field(default_factory=threading.Event)
    error: NodeError | None = None


class AnsweringDrivers:
    """For one thread, which looks at places in rounds. What answered is not asked again in the round."""

    def __init__(self, drivers: Callable[[int], StorageDriver]) -> None:
        self._drivers = drivers
        self._opened: dict[int, StorageDriver] = {}
        self._answering: set[int] = set()
        self._asked: dict[int, _Asked] = {}
        """By root: of those that have not answered yet."""
        self._patience = PATIENCE_SECONDS

    def begin_round(self) -> None:
        self._opened.clear()
        self._answering.clear()
        self._patience = PATIENCE_SECONDS

    def of(self, place: Place) -> StorageDriver:
        """Raises NodeDown where the folder doesn't answer, or is away; and what the drivers raise."""
        driver = self._opened.get(place.node_id) or self._drivers(place.node_id)
        self._opened[place.node_id] = driver
        if isinstance(driver, FolderDriver) and place.root_id not in self._answering:
            self._require_answer(driver, place)
            self._answering.add(place.root_id)
        return driver

    def _require_answer(self, driver: FolderDriver, place: Place) -> None:
        asked = self._asked.get(place.root_id)
        if asked is None:
            asked = self._asked[place.root_id] = _Asked()
            threading.Thread(target=_ask, args=(asked, driver, place), name="asking storage", daemon=True).start()
        begun = time.monotonic()
        answered = asked.answered.wait(max(0.0, self._patience))
        self._patience -= time.monotonic() - begun
        if not answered:
            raise NodeDown("The root's folder doesn't answer; see whether what is mounted there is there still.")
        del self._asked[place.root_id]
        if asked.error is not None:
            raise asked.error


def _ask(asked: _Asked, driver: FolderDriver, place: Place) -> None:
    tree = driver.node.tree
    try:
        tree.check()
        tree.walk(place.scope, place.scope.boundary)
    except NodeError as error:
        asked.error = error
    except OSError:
        pass  # it answered; what that means is for who uses it
    finally:
        asked.answered.set()
