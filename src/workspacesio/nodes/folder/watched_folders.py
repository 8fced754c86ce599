"""Watching all folders of several workspaces, by one queue of the kernel's.

    watches = WatchedFolders(listener)
    watches.begin(7, tree, scope, passes)      # goes through the folders little by little, in `step`
    watches.step(0.1)                          # again and again, in one thread: what happened goes to the listener

What is told are hints: where to look, not what is there. A folder that appears, by whatever name it was known
before, is watched first and told of then, so that nothing that is put in it meanwhile is missed. One that is
renamed is one that goes and one that comes. Only folders are watched that a listing would show (`sight`). Links
are not followed: what lies behind a link is heard of where it really lies.
"""

import os
import stat
import time
from collections import deque
from collections.abc import Callable

from workspacesio.domain.names import SYSTEM_FOLDERS
from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.nodes.folder import inotify, syscalls
from workspacesio.nodes.folder.inotify import Heard, Inotify, WatchLimit
from workspacesio.nodes.folder.os_errors import node_error
from workspacesio.nodes.folder.resolve import NodeTree, folder_closed
from workspacesio.nodes.folder.scan import is_utf8
from workspacesio.nodes.folder.sight import left_out, open_folder
from workspacesio.nodes.folder.watch_jobs import Folder, Job, Listener, Top
from workspacesio.nodes.folder.watchable import why_not_watched
from workspacesio.nodes.values import Scope

SLICE_SECONDS = 0.05
"""For going through folders, before the queue is read again: it holds some 16,000 events."""

PAUSE_SECONDS = 0.02
"""Between two slices, so that others get on."""

GATHER_SECONDS = 0.03
_FEW = 200
"""So few that were heard at once: the next are left to gather, for being woken costs more than what is heard."""

_GONE = inotify.MOVED_FROM | inotify.DELETE
_COME = inotify.MOVED_TO | inotify.CREATE
_TOP_GONE = inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT


class WatchedFolders:
    """For one thread. Raises WatchLimit when it is made, if there may be no more queues."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._queue = Inotify()
        self._by_watch: dict[int, Folder] = {}
        self._tops: dict[int, Top] = {}
        self._jobs: deque[Job] = deque()

    def begin(
        self,
        workspace_id: int,
        tree: NodeTree,
        scope: Scope,
        passes: Callable[[str], bool] = lambda _: True,
        *,
        one_filesystem: bool = True,
    ) -> bool:
        """Whether the workspace's folder is there. `passes` says which folders are of interest.

        Raises NodeDown, NoSuchBucket.
        """
        tree.check()
        walk = tree.walk(scope, scope.boundary)
        if not walk.found or not stat.S_ISDIR(walk.stat.st_mode):
            return False
        top = Top(workspace_id, tree, scope, passes, one_filesystem, walk.place, _rules(tree))
        self._tops[workspace_id] = top
        self._jobs.append(Job(top, None, [(None, "")]))
        return True

    def end(self, workspace_id: int) -> None:
        top = self._tops.pop(workspace_id, None)
        if top is None:
            return
        self._jobs = deque(job for job in self._jobs if job.top is not top)
        if top.folder is not None:
            self._forget(top.folder)

    def folders(self, workspace_id: int) -> int:
        """How many are watched."""
        top = self._tops.get(workspace_id)
        return 0 if top is None else top.folders

    def is_prepared(self, workspace_id: int) -> bool:
        top = self._tops.get(workspace_id)
        return top is not None and top.prepared

    def is_where_it_was(self, workspace_id: int) -> bool:
        """Whether the watched folder is still the one at the workspace's prefix, under the same rules.

        Raises NodeDown.
        """
        top = self._tops[workspace_id]
        if top.folder is None:
            return True
        top.tree.check()
        if top.rules != _rules(top.tree):
            return False
        try:
            walk = top.tree.walk(top.scope, top.scope.boundary)
        except NodeDown:
            raise
        except (NodeError, OSError):
            return False
        found = walk.stat
        if not walk.found or walk.place != top.place or found.st_dev != top.folder.device:
            return False
        try:
            fd = open_folder(top.tree, top.place)
        except OSError:
            return False
        try:
            return self._queue.add(fd) == top.folder.watch
        finally:
            os.close(fd)

    def step(self, seconds: float) -> None:
        """Hear what happened, for so long at most when nothing does; then go on watching more folders."""
        news = self._queue.read(min(seconds, PAUSE_SECONDS) if self._jobs else seconds)
        for heard in news:
            if heard.mask & inotify.OVERFLOW:
                self._begin_again()
                return
            self._take(heard)
        if 0 < len(news) < _FEW and not self._jobs:
            time.sleep(GATHER_SECONDS)
        until = time.monotonic() + SLICE_SECONDS
        while self._jobs and time.monotonic() < until:
            self._go_on(self._jobs[0])

    def close(self) -> None:
        self._queue.close()

    # --- what happened --------------------------------------------------------------------------------------

    def _take(self, heard: Heard) -> None:
        folder = self._by_watch.get(heard.watch)
        if folder is None:
            return
        if heard.mask & inotify.IGNORED or not heard.name:
            if folder.parent is None and heard.mask & (_TOP_GONE | inotify.IGNORED):
                self._give_up(folder.top, None)
            elif heard.mask & inotify.IGNORED:
                self._forget(folder)
            return
        name = os.fsdecode(heard.name)
        if name in SYSTEM_FOLDERS or not is_utf8(name):
            return
        if heard.mask & inotify.IS_FOLDER:
            self._take_folder(folder, name, heard.mask)
            return
        self._listener.object_changed(folder.top.workspace_id, folder.path + name)

    def _take_folder(self, folder: Folder, name: str, mask: int) -> None:
        top, path = folder.top, f"{folder.path}{name}/"
        watched = folder.below.get(name)
        if mask & _GONE:
            if watched is not None:
                self._forget(watched)
            self._listener.folder_changed(top.workspace_id, path)
        elif mask & _COME or (watched is None) == self._is_shown(top, path):
            if watched is not None:
                self._forget(watched)
            if top.passes(path):
                # Before what is prepared for the first time: somebody is at work here.
                self._jobs.appendleft(Job(top, path, [(folder, name)]))
        else:  # its attributes, among them whether it is an object itself
            self._listener.object_changed(top.workspace_id, path)

    def _is_shown(self, top: Top, path: str) -> bool:
        try:
            mode = os.stat(top.place_of(path), dir_fd=top.tree.root_fd, follow_symlinks=False).st_mode
        except (OSError, NodeError):
            return False
        return stat.S_ISDIR(mode) and (top.tree.serves_closed or not folder_closed(mode))

    def _begin_again(self) -> None:
        self._queue.close()
        self._queue = Inotify()
        self._by_watch.clear()
        self._jobs.clear()
        for top in self._tops.values():
            top.folder, top.folders, top.prepared = None, 0, False
            self._jobs.append(Job(top, None, [(None, "")]))
        self._listener.overflowed()

    # --- watching more --------------------------------------------------------------------------------------

    def _go_on(self, job: Job) -> None:
        if not job.waiting:
            self._jobs.remove(job)
            if job.told is not None:
                self._listener.folder_changed(job.top.workspace_id, job.told)
            elif job.top.folder is None:
                self._give_up(job.top, None)
            else:
                job.top.prepared = True
                self._listener.prepared(job.top.workspace_id)
            return
        parent, name = job.waiting.pop()
        if parent is not None and self._by_watch.get(parent.watch) is not parent:
            return  # it was forgotten meanwhile
        try:
            self._watch(job, parent, name)
        except WatchLimit as error:
            self._give_up(job.top, _limit_reached(error))
        except NodeDown as error:
            self._give_up(job.top, str(error))

    def _watch(self, job: Job, parent: Folder | None, name: str) -> None:
        """Watch one folder, and put those in it on the list. Raises WatchLimit, NodeDown."""
        top = job.top
        path = f"{parent.path}{name}/" if parent is not None else ""
        try:
            fd = open_folder(top.tree, top.place_of(path))
        except OSError as error:
            left_out(error)
            return
        try:
            found = os.fstat(fd)
            if folder_closed(found.st_mode) and not top.tree.serves_closed:
                return
            if parent is None or parent.device != found.st_dev:
                if parent is not None and top.one_filesystem:
                    return
                problem = why_not_watched(syscalls.statfs(fd).kind)
                if problem is not None:
                    self._give_up(top, problem)
                    return
            folder = self._added(top, parent, name, self._queue.add(fd), found.st_dev)
            with os.scandir(fd) as entries:
                for entry in entries:
                    below = entry.name
                    if not entry.is_dir(follow_symlinks=False) or below in SYSTEM_FOLDERS or not is_utf8(below):
                        continue
                    if below not in folder.below and top.passes(f"{path}{below}/"):
                        job.waiting.append((folder, below))
        except OSError as error:
            raise node_error(error) from error
        finally:
            os.close(fd)

    def _added(self, top: Top, parent: Folder | None, name: str, watch: int, device: int) -> Folder:
        known = self._by_watch.get(watch)
        if known is not None:
            if known.top is top and known.parent is parent and known.name == name:
                return known
            del self._by_watch[watch]  # moved here, which is still to be heard
            self._forget(known)
        folder = self._by_watch[watch] = Folder(top, parent, name, watch, device)
        top.folders += 1
        if parent is None:
            top.folder = folder
        else:
            parent.below[name] = folder
        return folder

    def _forget(self, folder: Folder) -> None:
        """Watch it and all below it no more."""
        if folder.parent is not None and folder.parent.below.get(folder.name) is folder:
            del folder.parent.below[folder.name]
        waiting = [folder]
        while waiting:
            one = waiting.pop()
            waiting += one.below.values()
            one.top.folders -= 1
            if self._by_watch.get(one.watch) is one:
                del self._by_watch[one.watch]
                self._queue.remove(one.watch)

    def _give_up(self, top: Top, problem: str | None) -> None:
        self.end(top.workspace_id)
        self._listener.given_up(top.workspace_id, problem)


def _rules(tree: NodeTree) -> tuple[bool, bool]:
    return tree.serves_closed, tree.cross_filesystems


def _limit_reached(error: WatchLimit) -> str:
    return (
        f"The system watches no more folders ({error}); raise that with sysctl, else crawls find what is changed "
        "directly."
    )
