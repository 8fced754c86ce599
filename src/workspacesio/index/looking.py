"""Asking storage what is at some keys now: what events and watchers say is no more than where to look.

So it matters neither in which order they come nor how often, and nothing they claim is believed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from workspacesio.index.found import Found, split_path
from workspacesio.index.places import Place
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.values import StoredObject
from workspacesio.services.storage import Wait

SEVERAL = 1_000
"""Keys of one workspace that are asked for at once."""


@dataclass(slots=True)
class Looked:
    """What is at some paths of one workspace: objects, and paths where nothing is."""

    place: Place
    there: list[tuple[str, Found]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def look(
    driver: StorageDriver, wait: Wait, place: Place, paths: Sequence[str], stopping: Callable[[], bool]
) -> Looked | None:
    """From a thread. None when it was to stop. Raises NodeDown, and another NodeError if only this place fails."""
    looked = Looked(place)
    for first in range(0, len(paths), SEVERAL):
        if stopping():
            return None
        asked = paths[first : first + SEVERAL]
        try:
            answers = wait(driver.stat_objects(place.scope, [place.prefix + path for path in asked]))
        except NodeError:
            wait(driver.check())
            raise
        for path, found in zip(asked, answers, strict=True):
            if found is None:
                looked.absent.append(path)
            else:
                looked.there.append((path, found_object(path, found)))
    return looked


def found_object(path: str, stored: StoredObject) -> Found:
    return Found(split_path(path)[1], stored.size, stored.modified, stored.etag, stored.stamp)
