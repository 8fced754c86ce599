"""Forgetting events that have been kept for long enough, and what the index never took in of them.

Events that wait for the index are kept as others are, and no longer: a node may be away for ever. But none goes in
silence: the roots where something happened that the index hasn't heard of are crawled.
"""

import logging
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from workspacesio.database.journal_tables import ObjectEvent
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.vocabulary import CrawlReason
from workspacesio.services.crawl_requests import request_crawl

logger = logging.getLogger(__name__)

_NOT_INDEXED = text("NOT indexed")
"""In these words, which the partial index has."""


def forget_old_events(session: Session, *, before: datetime, now: datetime) -> None:
    """In `Database.journal`. The newest stays: who follows the events knows by it that none was taken back."""
    newest = select(func.max(ObjectEvent.id)).scalar_subquery()
    for root_id in _unheard_roots(session, before):
        logger.warning("root %s: events that the index never took in are forgotten; it is crawled", root_id)
        request_crawl(session, root_id=root_id, reason=CrawlReason.UNHEARD, now=now)
    session.execute(delete(ObjectEvent).where(ObjectEvent.at < before, ObjectEvent.id < newest))


def _unheard_roots(session: Session, before: datetime) -> list[int]:
    waiting = select(ObjectEvent.workspace_id).where(_NOT_INDEXED, ObjectEvent.at < before)
    query = select(Root.id).where(Root.id.in_(select(Workspace.root_id).where(Workspace.id.in_(waiting))))
    return list(session.scalars(query.order_by(Root.id)))
