"""What is at some keys now, as a listing would show it: one folder after the other, no file opened.

The rules are those of `sight`, and links are followed as crawls do: to files beneath the folder that holds them,
and to no folder. So what is told here is what the next crawl would find. Keys are taken folder by folder: the way
to each is walked once, however many of its files are asked for.
"""

import os
import stat
from collections.abc import Sequence

from workspacesio.domain.names import key_problem
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.page_etags import PageEtags
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.sight import Sight, Way, entry_left_out
from workspacesio.nodes.stamps import file_modified, file_stamp, held, object_stamp
from workspacesio.nodes.values import Scope, StoredObject


def stat_objects(
    tree: NodeTree, records: MetadataStore, scope: Scope, keys: Sequence[str]
) -> list[StoredObject | None]:
    """As `StorageDriver.stat_objects`. Raises OSError, NoSuchBucket, NodeDown."""
    tree.check()
    looked = _Look(tree, records, scope)
    folders: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        if key_problem(key) is None:
            folders.setdefault(key[: key.rfind("/") + 1], []).append(key)
    for folder, inside in folders.items():
        looked.into(folder, inside)
    return [looked.found.get(key) for key in keys]


class _Look:
    def __init__(self, tree: NodeTree, records: MetadataStore, scope: Scope) -> None:
        self._scope = scope
        self._tree = tree
        self._sight = Sight(tree, records, tree.boundary_place(scope))
        self._etags = PageEtags(records)
        self.found: dict[str, StoredObject] = {}

    def into(self, folder: str, keys: Sequence[str]) -> None:
        """Look at these keys, all of which lie right in the folder, or are its own ('a/b/')."""
        if not folder.startswith(self._scope.boundary):
            return
        walk = self._tree.walk(self._scope, folder)
        if not walk.found or walk.visited or not stat.S_ISDIR(walk.stat.st_mode):
            return
        opened = self._sight.folder(walk.place)
        if opened is None:
            return
        fd, found = opened
        try:
            for key in keys:
                if key == folder:
                    self._marker(fd, found, key)
                else:
                    self._entry(fd, found, Way(walk.place, folder, ()), key)
        finally:
            os.close(fd)

    def _marker(self, fd: int, found: os.stat_result, key: str) -> None:
        record = self._sight.record(fd, found)
        if record.marker is not None:
            modified = held(int(record.modified * 1_000_000))
            etag = record.marker.etag
            self.found[key] = StoredObject(key, 0, modified, etag, object_stamp(0, modified, etag))

    def _entry(self, fd: int, folder: os.stat_result, way: Way, key: str) -> None:
        name = key[len(way.base) :]
        try:
            kind = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
        except OSError as error:
            entry_left_out(error)
            return
        if stat.S_ISLNK(kind):
            self._link(way, name, key)
        elif not self._is_misspelled(way.place, folder, name):
            found = self._sight.file(fd, folder.st_dev, name)
            if found is not None:
                self._show(key, fd, name.encode(), found)

    def _is_misspelled(self, place: bytes, folder: os.stat_result, name: str) -> bool:
        folding = self._tree.folding
        return not folding.known_exact(folder) and folding.misspelled(
            self._tree.root_fd, place, folder, name.encode()
        )

    def _link(self, way: Way, name: str, key: str) -> None:
        target = self._sight.link(way, name, beneath=True)
        if target is None or stat.S_ISDIR(target[1].st_mode):
            return
        with self._sight.linked_file(target[0]) as shown:
            if shown is not None:
                fd, last, found = shown
                self._show(key, fd, last, found)

    def _show(self, key: str, fd: int, name: bytes, found: os.stat_result) -> None:
        try:
            etag, _ = self._etags.of(fd, name, found)
        except OSError as error:
            entry_left_out(error)
            return
        self.found[key] = StoredObject(key, found.st_size, file_modified(found), etag, file_stamp(found))
