"""What rights cost on a MinIO server: documents, bytes and the time of a request, by number of grants.

`python -m benchmarks.minio_rights [--rounds N]`. One user per row; requests of all rows take turns, so that a
row is compared with the others of the same run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from servers.minio import minio
from servers.minio_subjects import MinioSubjects
from servers.signed_connection import SignedConnection
from workspacesio.domain.s3_policies import Grant, compile_documents

NOW = datetime.now(UTC)


def lasting(number: int) -> Grant:
    return Grant("research", f"private/user{number % 40}/project-{number:04}/", writes=number % 2 == 0)


def expiring_by_day(number: int) -> Grant:
    grant = lasting(number)
    return Grant(grant.bucket, grant.prefix, grant.writes, NOW + timedelta(days=1 + number % 30))


def expiring_apart(number: int) -> Grant:
    grant = lasting(number)
    return Grant(grant.bucket, grant.prefix, grant.writes, NOW + timedelta(days=1, seconds=number))


ROWS: list[tuple[str, int, Callable[[int], Grant]]] = [
    ("without expiry", 1, lasting),
    ("without expiry", 250, lasting),
    ("without expiry", 1_000, lasting),
    ("without expiry", 2_000, lasting),
    ("30 different expiries", 1_000, expiring_by_day),
    ("every one another expiry", 250, expiring_apart),
    ("every one another expiry", 1_000, expiring_apart),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="workspacesio-bench-") as folder, minio(folder) as server:
        subjects = MinioSubjects(server, f"{folder}/mc")
        subjects.root.send("PUT", "/research")
        key = "/research/private/user0/project-0000/k"
        subjects.root.send("PUT", key, body=b"x" * 1024)
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
            rows.append((words, count, documents, compiled, written, connection, [], []))
        for _ in range(rounds):
            for *_, connection, gets, lists in rows:
                gets.append(_seconds(connection, key))
                lists.append(_seconds(connection, "/research", "private/user0/project-0000/"))
        print("| grants | | documents | bytes | compiled | written | GET 1 KiB, median | list, median |")
        print("|---|---|---|---|---|---|---|---|")
        for words, count, documents, compiled, written, connection, gets, lists in rows:
            size = sum(len(document.encode()) for document in documents)
            times = [compiled, written, statistics.median(gets), statistics.median(lists)]
            spelled = " | ".join(f"{1000 * seconds:.1f} ms" for seconds in times)
            print(f"| {count:,} | {words} | {len(documents)} | {size:,} | {spelled} |")
            connection.close()
        subjects.root.close()
    return 0


def _seconds(connection: SignedConnection, path: str, prefix: str | None = None) -> float:
    query = [] if prefix is None else [("list-type", "2"), ("prefix", prefix)]
    begun = time.perf_counter()
    answer = connection.send("GET", path, query)
    taken = time.perf_counter() - begun
    assert answer.status == 200, answer
    return taken


if __name__ == "__main__":
    sys.exit(main())
