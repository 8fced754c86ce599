"""Shares that rest on others: who shares on through `own` gives no longer than what they hold."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Share


def descendants(session: Session, shares: Iterable[Share]) -> list[Share]:
    """Everything that rests on these, near or far, in the order of its distance."""
    found: list[Share] = []
    waiting = [share.id for share in shares]
    while waiting:
        rows = session.scalars(select(Share).where(Share.rests_on.in_(waiting)).order_by(Share.id)).all()
        found += rows
        waiting = [row.id for row in rows]
    return found
