"""What the names in a query mean to the caller: every `Named` becomes `Workspaces` or `Folders`.

`owner:`, `node:`, `root:` and `public:` mean the workspaces, among those the caller may read in, that have such an
owner, node, root or type; roots that may not be named to them have no name. Where there is none, nothing is found,
and a note says so in the same words whether the name is unknown or hidden. `in:` is a workspace's reference, with
a folder if wanted, and means what it means everywhere (`services/references.py`): NotFound, and Ambiguous with
candidates. Of a folder in which nothing is to be read a note says so, whether it is there or not.

`path:` may begin with the workspace, as results are printed: `workspace/path` in one of the caller's own,
`owner/workspace/path` in any that the caller may read in. Other readings of it mean nothing, and need no note:
what else the pattern means stands beside it. A workspace that others share under some name is none: its owner
would choose what the caller's queries mean.
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Node, Root, User, Workspace
from workspacesio.database.visible_places import named_roots
from workspacesio.domain.search_fields import path_query
from workspacesio.domain.search_patterns import printed_readings
from workspacesio.domain.search_query import AllOf, AnyOf, Folders, Named, NamedField, Not, Query, Workspaces
from workspacesio.domain.search_term import shown
from workspacesio.domain.vocabulary import RootType
from workspacesio.index.notes import Note
from workspacesio.index.sight import FolderNumbers, Place, Sight
from workspacesio.services.actors import Actor
from workspacesio.services.references import ReadOrWrite, resolve_reference

ME = "me"
"""`owner:me` is the caller; nobody can be called so."""

_PUBLIC_TYPES = [kind.value for kind in RootType if kind.is_public]


@dataclass(slots=True)
class Naming:
    """Resolves the names of one query, in the session in which the caller's sight was read."""

    session: Session
    actor: Actor
    sight: Sight
    catalogue: FolderNumbers
    now: datetime
    notes: list[Note] = field(default_factory=list)
    _known: dict[Named, Query] = field(default_factory=dict)

    def resolve(self, query: Query) -> Query:
        """Raises NotFound, Ambiguous, and Invalid for what is no reference."""
        match query:
            case AllOf(parts):
                return AllOf(tuple(self.resolve(part) for part in parts))
            case AnyOf(parts):
                return AnyOf(tuple(self.resolve(part) for part in parts))
            case Not(part):
                return Not(self.resolve(part))
            case Named():
                if query not in self._known:
                    self._known[query] = self._meaning(query)
                return self._known[query]
            case _:
                return query

    def _meaning(self, named: Named) -> Query:
        if named.field == "in":
            return self._reference(named.value)
        if named.field == "path":
            return self._printed(named.value)
        having = self.session.scalars(
            select(Workspace.id)
            .join(User, User.id == Workspace.owner_id)
            .join(Node, Node.id == Workspace.node_id)
            .join(Root, Root.id == Workspace.root_id)
            .where(self._condition(named.field, named.value))
        )
        found = self.sight.workspaces.intersection(having)
        if not found and named.field != "public":
            sentence = f"You can read nothing whose {named.field} is {shown(named.value)!r}; see `wio ls`."
            self.notes.append(Note("nothing_by_that_name", sentence))
        return Workspaces(found)

    def _condition(self, field_: NamedField, value: str) -> ColumnElement[bool]:
        match field_:
            case "owner":
                return User.username == (self.actor.username if value.lower() == ME else value.lower())
            case "node":
                return Node.name == value
            case "root":
                return and_(Root.name == value, Root.id.in_(named_roots(self.actor.caller, self.now)))
            case _:
                return Root.type.in_(_PUBLIC_TYPES)

    def _printed(self, pattern: str) -> Query:
        meanings: list[Query] = []
        for owner, name, inside in printed_readings(pattern):
            found = self.sight.workspaces.intersection(
                self.session.scalars(
                    select(Workspace.id)
                    .join(User, User.id == Workspace.owner_id)
                    .where(User.username == (owner or self.actor.username))
                    .where(Workspace.name == unicodedata.normalize("NFC", name))
                )
            )
            if found:
                meanings.append(AllOf((Workspaces(found), path_query(inside))))
        return AnyOf(tuple(meanings))

    def _reference(self, reference: str) -> Query:
        meaning = resolve_reference(
            self.session, actor=self.actor, reference=reference, purpose=ReadOrWrite.READ, now=self.now
        )
        folder = meaning.path.rstrip("/")
        if not folder:
            return Workspaces(frozenset({meaning.workspace_id}))
        place = (meaning.workspace_id, folder + "/")
        if not self._holds(place):
            self.notes.append(
                Note(
                    "nothing_by_that_name",
                    f"You can read nothing in a folder {shown(reference)!r}; `wio search --facets folder` shows "
                    "folders, and path: finds single objects.",
                )
            )
        folders = self.catalogue.folder_ids([place])
        # With the workspace, for what is said of it: of a folder that isn't indexed yet there is no number.
        return AllOf((Workspaces(frozenset({meaning.workspace_id})), Folders(frozenset(folders.values()))))

    def _holds(self, place: Place) -> bool:
        """Whether a folder has anything in it that the caller may read; by what else is there nothing is told."""
        workspace_id, folder = place
        if self.sight.covers(workspace_id, folder):
            return bool(self.catalogue.folder_ids([place]))
        below = [one for one in self.sight.folders if one[0] == workspace_id and one[1].startswith(folder)]
        return bool(below and self.catalogue.folder_ids(below))
