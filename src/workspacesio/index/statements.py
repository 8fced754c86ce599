"""The catalogue's SQL on a raw cursor: both databases in one spelling, and their quickest way with many rows.

Statements are written with `?`. `IN ?*` takes a list: `statements.listed([…])`.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]


class Statements(Protocol):
    """On one cursor, which one thread uses at a time."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]: ...

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """How many rows it changed."""
        ...

    def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None: ...

    def listed(self, values: Iterable[object]) -> object:
        """The parameter of `IN ?*`."""
        ...

    def among(self, pairs: Iterable[tuple[int, str]], sql: str) -> list[Row]:
        """Rows of `sql`, in which `wanted` is a table of the pairs: `number`, `text`."""
        ...

    def by_first(self, sql: str, numbers: Sequence[int]) -> dict[int, list[Row]]:
        """Rows of `sql`, whose only parameter is one `= ?` number and which begin with it, by that number."""
        ...


class SqliteStatements:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        found: list[Row] = self._cursor.execute(_for_sqlite(sql), parameters).fetchall()
        return found

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        return int(self._cursor.execute(_for_sqlite(sql), parameters).rowcount)

    def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._cursor.executemany(_for_sqlite(sql), rows)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        places = ",".join("?" * len(columns))
        self._cursor.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({places})", rows)  # noqa: S608

    def listed(self, values: Iterable[object]) -> object:
        return json.dumps(list(values), ensure_ascii=False)

    def among(self, pairs: Iterable[tuple[int, str]], sql: str) -> list[Row]:
        table = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)"
        return self.rows(f"WITH wanted(number, text) AS ({table}) {sql}", [self.listed(pairs)])

    def by_first(self, sql: str, numbers: Sequence[int]) -> dict[int, list[Row]]:
        # A prepared statement for each is quicker here than one for all.
        execute = self._cursor.execute
        return {number: rows for number in numbers if (rows := execute(sql, (number,)).fetchall())}


class PostgresqlStatements:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        found: list[Row] = self._cursor.execute(_for_postgresql(sql), parameters).fetchall()
        return found

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        return int(self._cursor.execute(_for_postgresql(sql), parameters).rowcount)

    def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._cursor.executemany(_for_postgresql(sql), rows)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        if not rows:
            return
        with self._cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def listed(self, values: Iterable[object]) -> object:
        return list(values)

    def among(self, pairs: Iterable[tuple[int, str]], sql: str) -> list[Row]:
        numbers, texts = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
        table = "SELECT * FROM unnest(?::bigint[], ?::text[])"
        return self.rows(f"WITH wanted(number, text) AS ({table}) {sql}", [list(numbers), list(texts)])

    def by_first(self, sql: str, numbers: Sequence[int]) -> dict[int, list[Row]]:
        found = self.rows(sql.replace("= ?", "IN ?*", 1), [self.listed(numbers)]) if numbers else []
        return {number: list(rows) for number, rows in groupby(found, key=itemgetter(0))}


@cache
def _for_sqlite(sql: str) -> str:
    return sql.replace("IN ?*", "IN (SELECT value FROM json_each(?))")


@cache
def _for_postgresql(sql: str) -> str:
    return sql.replace("IN ?*", "= ANY(?)").replace("?", "%s")


def statements_on(dialect: str, cursor: Any) -> Statements:
    return SqliteStatements(cursor) if dialect == "sqlite" else PostgresqlStatements(cursor)


class Stretch(NamedTuple):
    """A condition to be added, and its parameters."""

    condition: str
    parameters: tuple[str, ...]


def stretch_of(column: str, first: str | None, last: str | None) -> Stretch:
    """After `first`, up to and with `last`; None is no bound. `column` is ours, never a name that was given."""
    bounds = [(f" AND {column} > ?", first), (f" AND {column} <= ?", last)]
    given = [(condition, value) for condition, value in bounds if value is not None]
    return Stretch("".join(condition for condition, _ in given), tuple(value for _, value in given))
