"""What rights cost on a MinIO server: documents, bytes and the time of a request, by number of grants.

One user per row, with the documents that the service would write; requests of all rows take turns, so that a row
is compared with the others of the same run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.beside import Beside
from servers.minio import minio
from servers.minio_subjects import MinioSubjects
from servers.signed_connection import SignedConnection
from workspacesio.domain.s3_policies import Grant, compile_documents

NOW = datetime.now(UTC)

MOST_SHARES = 1_000
"""Of one user, up to which requests shall be at most three times as slow as with one; more are still served."""


def lasting(number: int) -> Grant:
    return Grant("research", f"private/user{number % 40}/project-{number:04}/", writes=number % 2 == 0)


def expiring_by_day(number: int) -> Grant:
    grant = lasting(number)
    return Grant(grant.bucket, grant.prefix, grant.writes, NOW + timedelta(days=1 + number % 30))


def expiring_apart(number: int) -> Grant:
    grant = lasting(number)
    return Grant(grant.bucket, grant.prefix, grant.writes, NOW + timedelta(days=1, seconds=number))


EVERY = 50
"""Every so many shares one is asked for: those that the server finds late cost more than the first."""

MOST_GRANTS = 2_000
ROWS: list[tuple[str, int, Callable[[int], Grant]]] = [
    ("without expiry", 1, lasting),
    ("without expiry", 250, lasting),
    ("without expiry", 1_000, lasting),
    ("without expiry", 2_000, lasting),
    ("30 different expiries", 1_000, expiring_by_day),
    ("every one another expiry", 250, expiring_apart),
    ("every one another expiry", 1_000, expiring_apart),
]


_LISTING = (
    "MinIO looks for some forty variables in each pattern of a condition, one after another, until one fits: 3 µs "
    "for each share that comes before. Listings are bound by a condition, objects by resources, which take a tenth"
)


def rights(loadgen: str, rounds: int) -> list[Beside]:
    """A row of the page for each kind of request and number of shares."""
    del loadgen
    rows = _measured(40 * rounds)
    one = rows[0]
    found = []
    for row in rows:
        if row is one:
            continue
        words = f"{row.count:,} shares, {row.words}"
        note = f"{len(row.documents)} documents, {sum(len(one.encode()) for one in row.documents):,} bytes"
        ratio = 3 if row.count <= MOST_SHARES else None
        for title, times, of_one, way in (
            ("GET 1 KiB", row.gets, one.gets, ""),
            ("a listing", row.lists, one.lists, _LISTING),
        ):
            value, raw = 1000 * statistics.median(times), 1000 * statistics.median(of_one)
            spelled = f"{title} with keys of {words}"
            found.append(Beside(spelled, value, "ms", raw=raw, ratio=ratio, note=note, in_the_way=way))
    return found


@dataclass
class _Row:
    """One user: their documents, and how long compiling, writing and each request took, in seconds."""

    words: str
    count: int
    documents: tuple[str, ...]
    compiled: float
    written: float
    connection: SignedConnection
    gets: list[float] = field(default_factory=list)
    lists: list[float] = field(default_factory=list)


def _measured(rounds: int) -> list[_Row]:
    with tempfile.TemporaryDirectory(prefix="workspacesio-bench-") as folder, minio(folder) as server:
        subjects = MinioSubjects(server, f"{folder}/mc")
        subjects.root.send("PUT", "/research")
        for number in range(MOST_GRANTS):
            if number % EVERY == 0:
                subjects.root.send("PUT", f"/research/{lasting(number).prefix}k", body=b"x" * 1024)
        rows = []
        for number, (words, count, grant) in enumerate(ROWS):
            begun = time.perf_counter()
            documents = compile_documents([grant(n) for n in range(count)])
            compiled = time.perf_counter() - begun
            names = [f"row{number}-{n}" for n in range(len(documents))]
            begun = time.perf_counter()
            for name, document in zip(names, documents, strict=True):
                subjects.write_policy(name, document)
            written = time.perf_counter() - begun
            subjects.add_user(f"row{number}", names)
            connection = SignedConnection(server.endpoint, subjects.assume_role(f"row{number}"))
            rows.append(_Row(words, count, documents, compiled, written, connection))
        for turn in range(rounds):
            for row in rows:
                prefix = lasting(EVERY * turn % row.count).prefix
                row.gets.append(_seconds(row.connection, f"/research/{prefix}k"))
                row.lists.append(_seconds(row.connection, "/research", prefix))
        for row in rows:
            row.connection.close()
        subjects.root.close()
        return rows


def _seconds(connection: SignedConnection, path: str, prefix: str | None = None) -> float:
    query = [] if prefix is None else [("list-type", "2"), ("prefix", prefix)]
    begun = time.perf_counter()
    answer = connection.send("GET", path, query)
    taken = time.perf_counter() - begun
    assert answer.status == 200, answer
    return taken
