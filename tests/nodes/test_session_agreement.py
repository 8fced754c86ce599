"""Sessions of a MinIO server answer exactly as the permission core decides, in both policy languages.

The same random worlds and requests as for stored policies; here all rights of a user are in one session policy,
and the keys are those of one plain user with the policy `readwrite`. What doesn't fit is refused with its length.
AWS knows no right to HeadBucket, which asks there for a listing of the whole bucket: who holds less is refused.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from nodes.minio_requests import REQUESTS, Asking, head_bucket
from nodes.minio_worlds import GROUPS_OF, USERS, World, interesting_keys, random_world
from servers.installed import installed
from servers.minio_subjects import MinioSubjects, assume_role
from servers.s3_server import S3Server
from servers.signed_connection import SignedConnection
from workspacesio.domain.s3_policies import Grant, Language, TooLong, session_policy
from workspacesio.domain.subject_grants import EVERYONE, grants_by_subject
from workspacesio.domain.vocabulary import SubjectKind

WORLDS = int(os.environ.get("WIO_SESSION_WORLDS", "40"))
SEED = int(os.environ.get("WIO_AGREEMENT_SEED", "0")) or secrets.randbelow(10**9)
BUCKET, OTHER = "sessions", "other-sessions"


def held(world: World, user: int) -> list[Grant]:
    by_subject = grants_by_subject(world.placed(BUCKET), world.now)
    groups = [(SubjectKind.GROUP, group) for group in GROUPS_OF[user]]
    return [
        grant for subject in ((SubjectKind.USER, user), *groups, EVERYONE) for grant in by_subject.get(subject, ())
    ]


@contextmanager
def session_of(subjects: MinioSubjects, policy: str) -> Iterator[SignedConnection]:
    keys = subjects.assume_role("backend", policy=policy)
    with closing(SignedConnection(subjects.server.endpoint, keys)) as connection:
        yield connection


@pytest.mark.parametrize("language", Language)
def test_sessions_answer_as_the_permission_core_decides(
    language: Language, minio_server: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects = MinioSubjects(minio_server, str(tmp_path))
    subjects.add_user("backend", ["readwrite"])
    for bucket in (BUCKET, OTHER):
        assert subjects.root.send("PUT", f"/{bucket}").status in (200, 409)
    counted: Counter[str] = Counter()
    differences = []
    requests = {
        one: count for one, count in REQUESTS.items() if language is Language.MINIO or one is not head_bucket
    }
    for number in range(WORLDS):
        chance = Random(SEED * 1_000_003 + number)
        world = random_world(chance, datetime.now(UTC))
        keys = interesting_keys(world)
        for user in USERS:
            try:
                policy = session_policy(held(world, user), language=language)
            except TooLong:
                counted["too long"] += 1
                continue
            assert len(policy) <= 2048
            with session_of(subjects, policy) as connection:
                asking = Asking(world, user, BUCKET, OTHER, connection, subjects.root, chance)
                for request in chance.choices(list(requests), list(requests.values()), k=8):
                    key = chance.choice(keys)
                    answered, expected = request(asking, key)
                    counted["requests"] += 1
                    counted["allowed" if expected else "denied"] += 1
                    if answered != expected:
                        differences.append(f"world {number}, user {user}: {request.__name__} {key!r}: {world}")
    with capsys.disabled():
        said = ", ".join(f"{name} {count:,}" for name, count in counted.items())
        print(f"\nSessions, {language.value} (seed {SEED}): {said}; {len(differences)} differences.")
    assert not differences, "\n".join(differences[:5])
    assert min(counted["allowed"], counted["denied"]) > counted["requests"] // 5
    subjects.root.close()


ESCALATIONS = (
    ("accesskey", "create", "me"),
    ("accesskey", "create", "me", "backend"),
    ("user", "svcacct", "add", "me", "backend"),
    ("user", "add", "me", "intruder", "a-new-secret"),
    ("policy", "attach", "me", "consoleAdmin", "--user", "backend"),
    ("user", "ls", "me"),
    ("policy", "ls", "me"),
)


@pytest.mark.parametrize("language", Language)
def test_a_session_makes_no_longer_and_no_wider_key(
    language: Language, minio_server: S3Server, tmp_path: Path
) -> None:
    """The user's own policy denies nothing: what is denied must follow from the session policy alone."""
    subjects = MinioSubjects(minio_server, str(tmp_path))
    subjects.add_user("backend", ["readwrite"])
    grant = Grant(BUCKET, "mine/", writes=True)
    keys = subjects.assume_role("backend", policy=session_policy([grant], language=language))
    host = minio_server.endpoint.removeprefix("http://")
    alias = f"http://{keys.access_key}:{keys.secret_key}:{keys.token}@{host}"
    for arguments in ESCALATIONS:
        done = subprocess.run(
            [installed("mc"), "--config-dir", str(tmp_path), "--json", "admin", *arguments],
            env={**os.environ, "MC_HOST_me": alias},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 0, (arguments, done.stdout)
        assert "Access Denied" in done.stdout or "not allowed" in done.stdout, (arguments, done.stdout)
    for policy in (None, session_policy([Grant(BUCKET, "", writes=True)], language=language)):
        assert assume_role(minio_server.endpoint, keys, policy=policy).status == 403
    subjects.root.close()
