"""A MinIO server with our documents answers exactly as the permission core decides.

Random worlds are written to a real server, as documents of users, groups and everyone; real keys, issued once by
AssumeRole before the first world, then send every kind of request. Every world is written over the one before, so
each also shows that rights which are gone are gone with the next request.

`WIO_AGREEMENT_WORLDS` sets the number of worlds, `WIO_AGREEMENT_SEED` repeats a run.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from nodes.minio_requests import REQUESTS, Asking
from nodes.minio_worlds import GROUPS, GROUPS_OF, USERS, World, interesting_keys, random_world
from servers.minio_subjects import DENY_NOTHING_ALLOWED, MinioSubjects
from servers.s3_server import S3Server
from servers.signed_connection import SignedConnection
from workspacesio.domain.s3_policies import compile_documents
from workspacesio.domain.subject_grants import EVERYONE, Subject, grants_by_subject
from workspacesio.domain.vocabulary import SubjectKind
from workspacesio.nodes.minio.administration import normal_form

WORLDS = int(os.environ.get("WIO_AGREEMENT_WORLDS", "2000"))
SEED = int(os.environ.get("WIO_AGREEMENT_SEED", "0")) or secrets.randbelow(10**9)
LANES = 2
SLOTS = 4
"""Documents that a subject may have; attached once, since attaching takes the server a third of a second."""


class Lane:
    """A bucket with users and groups of its own on the server, so that lanes run beside each other."""

    def __init__(self, server: S3Server, folder: str, number: int) -> None:
        self.bucket, self.other_bucket = f"lane-{number}", f"other-{number}"
        self.prefix = f"lane{number}-"
        self.subjects = MinioSubjects(server, folder)
        for bucket in (self.bucket, self.other_bucket):
            assert self.subjects.root.send("PUT", f"/{bucket}").status == 200
        self.written: dict[str, str] = {}
        self.bytes = 0
        for subject in _all_subjects():
            for slot in range(SLOTS):
                self._write(self._document_name(subject, slot), DENY_NOTHING_ALLOWED)
        for user in USERS:
            self.subjects.add_user(self._name((SubjectKind.USER, user)), self._names((SubjectKind.USER, user)))
        for group in GROUPS:
            members = [self._name((SubjectKind.USER, user)) for user in USERS if group in GROUPS_OF[user]]
            subject = (SubjectKind.GROUP, group)
            self.subjects.add_group(self._name(subject), members, self._names(subject))
        everyone = [self._name((SubjectKind.USER, user)) for user in USERS]
        self.subjects.add_group(self._name(EVERYONE), everyone, self._names(EVERYONE))
        self.connections = {
            user: SignedConnection(
                server.endpoint, self.subjects.assume_role(self._name((SubjectKind.USER, user)))
            )
            for user in USERS
        }

    def show(self, world: World, chance: Random) -> int:
        """Write the world's documents; returns how many of them say something.

        Some were compiled two hours ago, so that what expired since then ends by the server's own clock.
        """
        compiled_at = world.now - timedelta(hours=chance.choice([0, 2]))
        held = grants_by_subject(world.placed(self.bucket), compiled_at)
        count = 0
        for subject in _all_subjects():
            grants = held.get(subject, [])
            documents = compile_documents(grants, max_bytes=chance.choice([2_000, 18_000, 18_000]))
            if len(documents) > SLOTS:
                documents = compile_documents(grants)
            count += len(documents) if grants else 0
            for slot in range(SLOTS):
                said = documents[slot] if slot < len(documents) else DENY_NOTHING_ALLOWED
                self._write(self._document_name(subject, slot), said)
        return count

    def close(self) -> None:
        for connection in (*self.connections.values(), self.subjects.root):
            connection.close()

    def check_one_document(self, chance: Random) -> None:
        """Reading back is how the product knows that rights are enforced."""
        name = chance.choice(sorted(self.written))
        assert normal_form(self.written[name]) == normal_form(self.subjects.read_policy(name))

    def asking(self, world: World, user: int, chance: Random) -> Asking:
        connection = self.connections[user]
        return Asking(world, user, self.bucket, self.other_bucket, connection, self.subjects.root, chance)

    def _write(self, name: str, document: str) -> None:
        if self.written.get(name) != document:
            self.subjects.write_policy(name, document)
            self.written[name] = document

    def _name(self, subject: Subject) -> str:
        return f"{self.prefix}{subject[0].value}{subject[1]}"

    def _document_name(self, subject: Subject, slot: int) -> str:
        return f"{self._name(subject)}-{slot}"

    def _names(self, subject: Subject) -> list[str]:
        return [self._document_name(subject, slot) for slot in range(SLOTS)]


def _all_subjects() -> Iterator[Subject]:
    yield from ((SubjectKind.USER, user) for user in USERS)
    yield from ((SubjectKind.GROUP, group) for group in GROUPS)
    yield EVERYONE


def _run(lane: Lane, worlds: range) -> tuple[Counter[str], list[str]]:
    counted: Counter[str] = Counter()
    differences: list[str] = []
    for number in worlds:
        chance = Random(SEED * 1_000_003 + number)
        world = random_world(chance, datetime.now(UTC))
        counted["worlds"] += 1
        counted["documents"] += lane.show(world, chance)
        counted["names refused beforehand"] += world.refused
        if number % 10 < LANES:
            lane.check_one_document(chance)
        keys = interesting_keys(world)
        for user in USERS:
            asking = lane.asking(world, user, chance)
            for request in chance.choices(list(REQUESTS), list(REQUESTS.values()), k=10):
                key = chance.choice(keys)
                answered, expected = request(asking, key)
                counted["requests"] += 1
                counted["allowed" if expected else "denied"] += 1
                counted[request.__name__] += 1
                if answered != expected:
                    differences.append(f"world {number}, user {user}: {request.__name__} {key!r}: {world}")
    return counted, differences


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_minio_server_answers_as_the_permission_core_decides(
    minio_server: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(LANES) as pool:
        lanes = [
            stack.enter_context(closing(Lane(minio_server, str(tmp_path / f"mc{number}"), number)))
            for number in range(LANES)
        ]
        outcomes = list(pool.map(_run, lanes, [range(number, WORLDS, LANES) for number in range(LANES)]))
    counted = sum((counts for counts, _ in outcomes), Counter())
    differences = [difference for _, found in outcomes for difference in found]
    with capsys.disabled():
        said = ", ".join(f"{name} {count:,}" for name, count in counted.items())
        print(f"\nMinIO and the permission core (seed {SEED}, {monotonic() - begun:.0f} s): {said}.")
        print(f"Differences: {len(differences)}.")
    assert not differences, "\n".join(differences[:5])
    assert counted["worlds"] == WORLDS
    assert min(counted["allowed"], counted["denied"]) > counted["requests"] // 5
    assert all(counted[request.__name__] for request in REQUESTS) or WORLDS < 50
