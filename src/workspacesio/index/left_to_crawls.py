"""What can't be looked at or recorded as it happens is left to a crawl of the workspace, which says why."""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from workspacesio.domain.vocabulary import CrawlReason
from workspacesio.index.places import Place
from workspacesio.services.crawl_requests import request_crawl

logger = logging.getLogger(__name__)


def leave_to_crawl(session: Session, place: Place, problem: str, now: datetime) -> None:
    logger.warning("workspace %s: a crawl looks for what changed: %s", place.workspace_id, problem)
    request_crawl(
        session,
        root_id=place.root_id,
        workspace_id=place.workspace_id,
        reason=CrawlReason.UNHEARD,
        now=now,
    )
