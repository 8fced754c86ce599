"""What the modules of a folder node share: the tree, the records, the locks, the staging folder, the threads."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from workspacesio.nodes.errors import FileInTheWay, KeyNotPossible, NodeReadOnly, NodeRefused
from workspacesio.nodes.folder.inline import Inline
from workspacesio.nodes.folder.locks import KeyLocks
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.folder.resolve import NodeTree, Obstacle
from workspacesio.nodes.folder.staging import Staging

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 16


@dataclass(slots=True)
class FolderNode:
    """`durable`: acknowledged writes survive a power failure."""

    tree: NodeTree
    records: MetadataStore
    locks: KeyLocks
    staging: Staging
    read_only: bool
    durable: bool
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="folder")
    )
    inline: Inline = field(default_factory=Inline)

    @property
    def writes_inline(self) -> bool:
        """Whether a small write may be done on the event loop just now."""
        return self.tree.local and not self.durable and self.inline.quick

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking `work`; OSError becomes NodeError. A cancelled caller doesn't stop what has begun."""

        def translating() -> T:
            with translated():
                return work(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self.threads, translating)

    async def acquire(
        self, release: Callable[[T], None], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`in_thread` for what holds descriptors: if the caller is cancelled, `release` gets the result."""
        working = asyncio.ensure_future(self.in_thread(work, *args, **kwargs))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            working.add_done_callback(lambda done: _release(done, release))
            raise

    def check_writable(self) -> None:
        """Raises NodeReadOnly, NodeDown."""
        if self.read_only:
            raise NodeReadOnly("This node takes no writes.")
        self.tree.check()
        if os.fstatvfs(self.tree.root_fd).f_flag & os.ST_RDONLY:
            raise NodeReadOnly("The filesystem is mounted read-only.")

    def sync(self, fd: int) -> None:
        if self.durable:
            os.fsync(fd)

    def close(self) -> None:
        self.threads.shutdown(wait=True)
        self.tree.close()
        self.locks.close()


def _release(done: "asyncio.Future[T]", release: Callable[[T], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        release(done.result())


def refuse(obstacle: Obstacle) -> None:
    """Raise what a writer gets who meets this obstacle."""
    if obstacle in (Obstacle.CLOSED, Obstacle.UNREADABLE):
        raise NodeRefused(f"This key can't be used here: {obstacle.value}.")
    kind = FileInTheWay if obstacle is Obstacle.NOT_A_FOLDER else KeyNotPossible
    raise kind(f"This key can't be used here: {obstacle.value}.")
