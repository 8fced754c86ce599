"""A server of its own for what is here: all of it is compared before and after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from escalation.lab import LOCKABLE, MINE, NEIGHBOUR, USER, Lab
from servers.minio import minio
from servers.minio_subjects import MinioSubjects
from servers.s3_server import S3Server
from servers.signed_connection import Keys
from workspacesio.domain.grants import Grant
from workspacesio.domain.s3_policies import compile_documents, session_policy
from workspacesio.nodes.minio.administration import normal_form


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with minio(str(tmp_path_factory.mktemp("minio"))) as started:
        yield started


@pytest.fixture(scope="session")
def lab(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = str(tmp_path_factory.mktemp("mc"))
    subjects = MinioSubjects(server, folder)
    assert subjects.root.send("PUT", "/lab").status == 200
    for key in ("mine/a/k", "mine/k", "secret/k", "theirs/k"):
        assert subjects.root.send("PUT", f"/lab/{key}", body=b"bytes").status == 200
    locks = [("x-amz-bucket-object-lock-enabled", "true")]
    assert subjects.root.send("PUT", "/lockable", headers=locks).status == 200
    assert subjects.root.send("PUT", "/lockable/mine/k", body=b"bytes").status == 200
    (document,) = compile_documents([MINE, LOCKABLE])
    subjects.write_policy("short-lived-1", document)
    subjects.add_user(USER, ["short-lived-1"])
    subjects.add_user(NEIGHBOUR)
    subjects.add_group("lab", [NEIGHBOUR], ["short-lived-1"])
    narrow = session_policy([Grant("lab", "mine/a/")])
    made = Lab(
        server,
        subjects,
        folder,
        subjects.assume_role(USER),
        subjects.assume_role(USER, policy=narrow),
    )
    yield made
    subjects.root.close()


@pytest.fixture(params=["whole", "narrowed"])
def keys(request: pytest.FixtureRequest, lab: Lab) -> Keys:
    return lab.keys if request.param == "whole" else lab.narrowed


@pytest.fixture(autouse=True, scope="session")
def nothing_changes(lab: Lab) -> Iterator[None]:
    before = lab.state()
    yield
    after = lab.state()
    assert normal_form(str(before.pop("document"))) == normal_form(str(after.pop("document")))
    assert after == before
