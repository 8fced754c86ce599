"""One walk over a workspace: how far it is, and what of it is under way."""

from collections import deque
from dataclasses import dataclass, field

from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue import Due
from workspacesio.index.extraction.looking import Reading
from workspacesio.index.extraction.read_so_far import Aim, aim_of
from workspacesio.index.extraction.wanted import Wanted
from workspacesio.index.found import EntryPlace

Key = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Walk:
    """One at a time over one workspace. `number`: of the catalogue's last change when it began."""

    wanted: Wanted
    current: frozenset[str]
    since: int
    number: int
    after: tuple[int, str] | None = None
    taken: deque[Due] = field(default_factory=deque)
    under_way: set[EntryPlace] = field(default_factory=set)
    ahead: set[EntryPlace] = field(default_factory=set)
    """Handed out before their turn, and not met in order then: what changed of them since is the next walk's."""
    in_a_row: int = 0
    """Fresh ones since the last that waited in order."""
    ended: float | None = None
    """When: nothing in order is left."""
    cut_short: bool = False
    left_out: bool = False
    """Something that is due may not be read, for it is charged for."""
    is_outdated: bool = False
    """Something else is wanted now; what is under way is the last of it."""

    @property
    def key(self) -> Key:
        """A walk for other ends begins from the start."""
        allowed = self.wanted.allowed if self.wanted.pays else None
        wanted = self.wanted
        return wanted.root_id, wanted.reading, wanted.scope, self.current, allowed, wanted.level

    @property
    def aim(self) -> Aim:
        return aim_of(self.wanted.level, self.current)

    @property
    def is_broken_off(self) -> bool:
        return self.cut_short or self.is_outdated

    @property
    def is_whole(self) -> bool:
        """Whether all was looked at as far as the root's level says."""
        allowed = self.wanted.level is not IndexLevel.CONTENT or self.wanted.reading is Reading.CONTENT
        return allowed and not self.left_out
