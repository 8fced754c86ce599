"""One page of a listing of a folder node, in the order of whole keys.

The listing goes down into folders as their names come in order, and never reads more of the tree than the page
shows, plus what it meets that isn't shown. What is shown is told by `sight`, names in order come from
`snapshots`. Common prefixes are keys rolled up, so a folder without any shown key has none; whether a folder that
is one common prefix holds a shown key is looked up in no order, which in a huge folder is much quicker.

- `after` is a point in the order of keys. If it is itself what would be a common prefix, all keys under it
  lie before the point; otherwise keys above `after` come, rolled up though `after` may lie under the same prefix.
- A page may end early, with fewer than `max_keys` and `next_after` set, after looking at MAX_EFFORT entries that
  are not shown: no folder, however strange, holds up a worker for long. Likewise a folder in which MAX_LOOK_AHEAD
  entries were looked at in vain counts as a common prefix.
- What vanishes while it is being listed is left out, what can't be looked at too; see `sight.left_out`.
- Prefixes that no key can have ('..', '//', NUL, system folders) give an empty page.

`list_folder` blocks. A page of 1,000 takes some milliseconds when the kernel has the folder in memory; the
first page of a folder with a million files takes seconds.
"""

import os
import stat
from itertools import chain

from workspacesio.domain.names import key_problem
from workspacesio.nodes.folder.known_etags import KnownEtags
from workspacesio.nodes.folder.metadata import FolderRecord, MetadataStore
from workspacesio.nodes.folder.ordered_walk import Level, OrderedWalk, behind
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.folder.page_etags import PageEtags
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.scan import LINK
from workspacesio.nodes.folder.sight import Effort, Sight, Way, entry_left_out, left_out, too_long
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.folder.turns import Turns
from workspacesio.nodes.values import ListPage, ListRequest, ObjectSummary, Scope

MAX_EFFORT = 400_000
MAX_LOOK_AHEAD = 20_000

_turns = Turns()

_EMPTY = ListPage((), (), None)


def list_folder(
    tree: NodeTree,
    records: MetadataStore,
    snapshots: Snapshots,
    scope: Scope,
    request: ListRequest,
    *,
    known: KnownEtags | None = None,
) -> ListPage:
    """Raises ValueError when the prefix isn't under the boundary, NoSuchBucket, NodeDown and other NodeErrors.

    `snapshots` and what is `known` are those of this node. A boundary whose folder isn't there (yet) is an empty
    listing.
    """
    if not request.prefix.startswith(scope.boundary):
        raise ValueError("the prefix of a listing must begin with the boundary")
    low = _low_of(request)
    folder = request.prefix[: request.prefix.rfind("/") + 1]
    with translated():
        boundary = tree.boundary_place(scope)
        if request.max_keys <= 0 or low is None or not _possible(folder, request.prefix):
            return _EMPTY
        walk = tree.walk(scope, folder)
        if not walk.found or not stat.S_ISDIR(walk.stat.st_mode):
            return _EMPTY
        etags = PageEtags(records, known if tree.local and not tree.cross_filesystems else None)
        page = _Page(Sight(tree, records, boundary), etags, snapshots, request, low)
        with _turns.turn():
            return page.listed(Way(walk.place, folder, walk.visited))


def _low_of(request: ListRequest) -> str | None:
    """The smallest key that may come, or None if none may. Keys have no NUL, so this is what follows a key."""
    after, prefix, delimiter = request.after, request.prefix, request.delimiter
    if not after:
        return prefix
    if delimiter and after.startswith(prefix):
        end = after.find(delimiter, len(prefix)) + len(delimiter)
        if end == len(after) and end >= len(prefix) + len(delimiter):
            return behind(after)
    return max(prefix, after + "\0")


def _possible(folder: str, prefix: str) -> bool:
    return "\0" not in prefix and (not folder or key_problem(folder) is None)


class _Page:
    """The page that is being made. `_low` is the smallest key that may still come, `_room` how many entries fit.

    `_last` is what was shown last. `_position` is a point from which the next page could go on, given all that was
    looked at so far; it may be the name of something that isn't shown.
    """

    def __init__(
        self, sight: Sight, etags: PageEtags, snapshots: Snapshots, request: ListRequest, low: str
    ) -> None:
        self._sight = sight
        self._etags = etags
        self._walk = OrderedWalk(sight.tree, snapshots)
        self._prefix = request.prefix
        self._delimiter = request.delimiter
        self._room = request.max_keys
        self._low = low
        self._effort = Effort(MAX_EFFORT)
        self._objects: list[ObjectSummary] = []
        self._common_prefixes: list[str] = []
        self._last: str | None = None
        self._position: str | None = None
        self._next_after: str | None = None
        self._ended = False

    def listed(self, way: Way) -> ListPage:
        """The page, beginning in the folder that the prefix's last slash names."""
        filtered = self._prefix != way.base
        try:
            self._enter(way)
            while not self._ended:
                following = self._walk.next()
                if following is None:
                    break
                level, spelled = following
                if filtered and level.base == way.base and not (way.base + spelled).startswith(self._prefix):
                    break
                self._take(level, spelled)
                if self._effort.left <= 0 and self._position is not None and not self._ended:
                    self._end(self._position)
        finally:
            self._walk.close()
        return ListPage(tuple(self._objects), tuple(self._common_prefixes), self._next_after)

    def _take(self, level: Level, spelled: str) -> None:
        """Show what this name leads to, if anything."""
        if spelled.endswith("/"):
            self._folder(level.way.down(spelled[:-1]))
        elif spelled.endswith(LINK):
            self._link(level, spelled[:-1])
        else:
            self._files(level, spelled)

    def _files(self, level: Level, first: str) -> None:
        """Show this file, and those that follow it before the next folder or link."""
        look, base, device = self._sight.file, level.base, level.device
        long, rolls_up, etag_of = level.may_be_too_long, bool(self._delimiter), self._etags.of
        try:
            fd = level.fd
        except OSError as error:
            left_out(error)
            return
        for name in chain((first,), level.files()):
            key = base + name
            if key < self._low or (long and too_long(key)):
                continue
            if not key.startswith(self._prefix):
                self._ended = True
                return
            found = look(fd, device, name)
            if found is None:
                self._in_vain(key, 1)
                if self._effort.left <= 0:
                    return
            elif (rolls_up and self._rolled_up(key)) or not self._has_room():
                return
            else:
                try:
                    etag, algorithm = etag_of(fd, name.encode(), found)
                except OSError as error:
                    entry_left_out(error)
                else:
                    self._show(ObjectSummary(key, found.st_size, found.st_mtime, etag, algorithm))

    def _show_file(self, key: str, fd: int, name: bytes, found: os.stat_result) -> None:
        try:
            etag, algorithm = self._etags.of(fd, name, found)
        except OSError as error:
            entry_left_out(error)
            return
        self._show(ObjectSummary(key, found.st_size, found.st_mtime, etag, algorithm))

    def _link(self, level: Level, path: str) -> None:
        """A link comes at its place as a file and at its place as a folder: one of them is right at most."""
        name = path.removesuffix("/")
        key = level.base + path
        target = None if too_long(key) else self._sight.link(level.way, name)
        if target is None or stat.S_ISDIR(target[1].st_mode) is not path.endswith("/"):
            self._in_vain(key, Effort.FOLDER)
        elif path.endswith("/"):
            self._folder(level.way.through(name, target[0]))
        else:
            self._linked_file(key, target[0])

    def _linked_file(self, key: str, place: bytes) -> None:
        if key < self._low:
            return
        with self._sight.linked_file(place) as shown:
            if shown is None:
                self._in_vain(key, Effort.FOLDER)
            elif not self._rolled_up(key) and self._has_room():
                fd, name, found = shown
                self._show_file(key, fd, name, found)

    def _folder(self, way: Way) -> None:
        common = self._common_prefix_of(way.base)
        if too_long(way.base):
            return
        if common is None or self._low > way.base:
            self._enter(way)
            return
        effort = Effort(MAX_LOOK_AHEAD)
        shown = self._sight.holds_anything(way, effort)
        self._effort.left -= MAX_LOOK_AHEAD - effort.left
        if shown:
            self._rolled_up(way.base)
        elif common == way.base:
            self._position = way.base

    def _enter(self, way: Way) -> None:
        """Go on inside a folder, beginning with its own key if it is marked as an object."""
        if not self._may_hold_more(way.base):
            return
        opened = self._sight.folder(way.place)
        if opened is None:
            self._in_vain(way.base, Effort.FOLDER)
            return
        fd, found = opened
        level = Level(self._sight.tree, way, fd, found.st_dev)
        try:
            self._show_marker(way.base, self._sight.record(fd, found))
        except BaseException:
            level.let_go()
            raise
        if self._ended or not self._may_hold_more(way.base):
            level.let_go()
        else:
            self._in_vain(way.base, Effort.FOLDER)
            self._walk.enter(level, self._low)

    def _show_marker(self, key: str, record: FolderRecord) -> None:
        marker = record.marker
        if marker is None or not key or key < self._low or not key.startswith(self._prefix):
            return
        if not self._rolled_up(key) and self._has_room():
            algorithm = next(iter(marker.checksums), None)
            self._show(ObjectSummary(key, 0, record.modified, marker.etag, algorithm))

    def _may_hold_more(self, base: str) -> bool:
        return base >= self._low or self._low.startswith(base)

    # --- what the page holds --------------------------------------------------------------------------------

    def _common_prefix_of(self, key: str) -> str | None:
        if not self._delimiter:
            return None
        found = key.find(self._delimiter, len(self._prefix))
        return None if found < 0 else key[: found + len(self._delimiter)]

    def _rolled_up(self, key: str) -> bool:
        """Whether a key that is to be shown goes into a common prefix; all of that is then passed over."""
        common = self._common_prefix_of(key)
        if common is None:
            return False
        if self._has_room():
            self._common_prefixes.append(common)
            self._last = self._position = common
            self._room -= 1
            low = behind(common)
            if low is None:
                self._ended = True
            else:
                self._low = low
                self._walk.seek(low)
        return True

    def _show(self, summary: ObjectSummary) -> None:
        self._objects.append(summary)
        self._last = self._position = summary.key
        self._room -= 1

    def _has_room(self) -> bool:
        """Whether the page takes one more; otherwise it ends here, and more follows."""
        if self._room <= 0:
            self._end(self._last)
            return False
        return not self._ended

    def _end(self, next_after: str | None) -> None:
        self._ended = True
        self._next_after = next_after

    def _in_vain(self, position: str, effort: int) -> None:
        """Count an entry that isn't shown. All that is still to come lies behind `position`."""
        self._effort.left -= effort
        if position >= self._low and self._common_prefix_of(position) is None:
            self._position = position
