"""Making the index true of one folder of a workspace, beside crawls."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from workspacesio.index.crawl_sources import Place, source_of
from workspacesio.index.crawling import steps_of
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Counts
from workspacesio.index.recording import ListingSink
from workspacesio.nodes.driver import StorageDriver


def sync_subtree(
    driver: StorageDriver,
    recorder: ListingSink,
    place: Place,
    path: str,
    *,
    exclusions: Exclusions,
    cross_filesystems: bool = False,
    scratch: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Counts:
    """Make the index true of one folder ('' or 'a/b/') of a workspace, with all below it.

    What differs counts as changed just now. Ends early when `stopping`. Raises NodeErrors; NotSupported.
    """
    source = source_of(
        driver, recorder, exclusions=exclusions, cross_filesystems=cross_filesystems, scratch=scratch
    )
    counts = Counts()
    if exclusions.excludes(path):
        return counts
    with closing(source.walk(place, path)) as walk:
        for step in steps_of(walk, time.monotonic):
            found = [replace(walked.listing, told=True) for walked in step if walked.listing is not None]
            if found:
                counts = counts.plus(recorder.sync_folders(found))
            if stopping():
                break
    return counts
