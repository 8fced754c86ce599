"""What becomes of a root whose level of indexing was changed: how much is to be read, what is found no more."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Root
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.search_levels import is_below
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.extraction.missing import missing_libraries
from workspacesio.index.extraction.registry import Registry, installed
from workspacesio.index.extraction.waiting import waiting_contents
from workspacesio.index.notes import Note
from workspacesio.index.opening import IndexReader
from workspacesio.services.crawl_requests import indexing_of

_FORGOTTEN = {
    IndexLevel.NONE: "What lies in it",
    IndexLevel.NAMES: "What was read of contents and metadata",
    IndexLevel.METADATA: "What was read of contents",
}


def level_of(session: Session, name: str) -> IndexLevel | None:
    """None where there is no such root. For who decides elsewhere whether the caller may know."""
    root_id = session.scalar(select(Root.id).where(Root.name == name))
    return None if root_id is None else IndexLevel(indexing_of(session, root_id).level)


def level_changed(session: Session, index: IndexReader, *, root_id: int, before: IndexLevel) -> list[Note]:
    """For the root's managers."""
    level, registry = IndexLevel(indexing_of(session, root_id).level), installed()
    said = missing_libraries(registry) if level is IndexLevel.CONTENT else []
    if is_below(level, before):
        return [Note("found_no_more", f"{_FORGOTTEN[level]} is not found any more, and removed by and by."), *said]
    if is_below(before, level) and is_below(IndexLevel.NAMES, level):
        return [*_to_be_read(session, index, registry, root_id), *said]
    return said


def _to_be_read(session: Session, index: IndexReader, registry: Registry, root_id: int) -> list[Note]:
    try:
        waiting = waiting_contents(session, index.catalogue, registry, root_ids={root_id}).get(root_id)
    except Unavailable:
        return []
    if waiting is None or not waiting.objects:
        return [Note("to_be_read", "Nothing is to be read yet; what crawls find is read then.")]
    of = f"{waiting.objects:,} object{'' if waiting.objects == 1 else 's'} of {waiting.bytes:,} bytes"
    return [Note("to_be_read", f"{of} are to be read; `wio index status` shows how many are left.")]
