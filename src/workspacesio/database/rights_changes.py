"""Notices which statements change rights, on the engine, where every one of them passes.

A flush of the session, a bulk statement and Core all come by here, so that none can be forgotten. What the
database does by itself (cascades) is covered by marking the table whose rows take others with them.
"""

from sqlalchemy import Connection, CursorResult, Engine, TextClause, event
from sqlalchemy.sql.dml import Delete, Insert, Update

import workspacesio.database.index_tables
import workspacesio.database.journal_tables
import workspacesio.database.tables  # noqa: F401 - a table is known once its class is
from workspacesio.database.base import Base, RightsCarried

_CHANGED = "workspacesio.rights_changed"

_CARRIED: dict[str, RightsCarried] = {
    mapper.class_.__tablename__: mapper.class_.carries_rights for mapper in Base.registry.mappers
}


def notice_rights_changes(engine: Engine) -> None:
    @event.listens_for(engine, "after_execute")
    def _notice(
        connection: Connection,
        statement: object,
        _many: object,
        _one: object,
        _options: object,
        result: CursorResult[tuple[object, ...]],
    ) -> None:
        if _changes_rights(statement, result):
            connection.info[_CHANGED] = True


def forget_rights_changes(connection: Connection) -> None:
    """At the beginning of a transaction: what an earlier one noted on this connection is past."""
    connection.info.pop(_CHANGED, None)


def rights_have_changed(connection: Connection) -> bool:
    return _CHANGED in connection.info


def _changes_rights(statement: object, result: CursorResult[tuple[object, ...]]) -> bool:
    if isinstance(statement, Insert):
        carried = _carried(statement)
        is_upsert = getattr(statement, "_post_values_clause", None) is not None
        return carried is RightsCarried.ALWAYS or (carried is RightsCarried.UPDATED and is_upsert)
    if isinstance(statement, Update | Delete):
        # With RETURNING the number of rows isn't known yet.
        met_rows = result.returns_rows or result.rowcount != 0
        return met_rows and _carried(statement) is not RightsCarried.NEVER
    if isinstance(statement, TextClause):
        # Nobody reads SQL here: what may change anything counts as a change of rights.
        return not statement.text.lstrip().lower().startswith(("select", "pragma"))
    return False


def _carried(statement: Insert | Update | Delete) -> RightsCarried:
    name: str = getattr(statement.table, "name", "")
    return _CARRIED.get(name, RightsCarried.ALWAYS)
