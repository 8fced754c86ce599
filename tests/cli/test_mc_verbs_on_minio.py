"""Every verb of `wio mc` on a MinIO server, and between a folder and MinIO: the same tests as on a folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

import pytest

from cli import test_mc_verbs
from cli.test_mc_verbs import (  # noqa: F401 - what is imported is collected here, with the fixtures of this module
    place,
    reader,
    test_a_second_command_asks_nobody,
    test_a_shared_folder_needs_no_final_slash,
    test_across_owners,
    test_cat,
    test_cp,
    test_cp_from_here_to_there_and_back,
    test_du,
    test_every_reading_verb_with_a_read_share,
    test_find,
    test_head,
    test_ls,
    test_mirror,
    test_mirror_follows_a_share_that_was_raised_or_lowered,
    test_mv,
    test_no_writing_verb_with_a_read_share,
    test_on_a_terminal,
    test_pipe,
    test_refusals_are_mcs_own,
    test_rm,
    test_stat,
    test_tree,
)
from servers.s3_server import S3Server
from servers.service import Person, Service

BUCKET = "verbs"


@pytest.fixture(scope="module")
def node(running: Service, minio_server: S3Server) -> Iterator[Person]:
    """The administrator, who added the server as the node `minio`, with a root of each type."""
    s3 = minio_server.boto3_client()
    s3.create_bucket(Bucket=BUCKET)
    ada = running.administrator()
    add = ["node", "add", "minio", "minio", "--endpoint", minio_server.endpoint]
    ada.wio(
        *add,
        *("--access-key", minio_server.access_key, "--secret-stdin"),
        stdin=minio_server.secret_key + "\n",
    )
    for prefix, kind in (
        ("private", "private"),
        ("public", "public"),
        ("raw", "unmanaged-private"),
        ("open", "unmanaged-public"),
    ):
        ada.wio("root", "create", "minio", BUCKET, "--prefix", prefix, "--type", kind, "--name", f"minio-{prefix}")
    yield ada
    ada.wio("node", "rm", "minio", "--force")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("minio-private", "minio-open"), id="private-to-unmanaged"),
        pytest.param(("minio-raw", "minio-public"), id="unmanaged-to-public"),
        pytest.param(("private", "minio-raw"), id="folder-to-minio"),
        pytest.param(("minio-private", "private"), id="minio-to-folder"),
    ],
)
def people(request: pytest.FixtureRequest, node: Person, mc_path: str) -> Iterator[dict[str, Person]]:
    """ada, who owns `data` and `copies`, in the two roots; ben, with `readwrite` on both and `mine`; and eve."""
    source, target = request.param
    ben, eve = (_signed_up(node.service, name) for name in ("ben", "eve"))
    for person in (node, ben, eve):
        # Names mean something else now than in the tests before.
        shutil.rmtree(os.path.join(person.home, ".cache"), ignore_errors=True)
        person.environment["WIO_MC"] = mc_path
    for name, root in (("data", source), ("copies", target)):
        node.wio("create", name, "--root", root)
        node.wio("share", name, "ben", "--permission", "readwrite")
    ben.wio("create", "mine", "--root", "minio-private")
    yield {"ada": node, "ben": ben, "eve": eve}
    ben.wio("workspace", "delete", "mine", "--delete-objects")
    for one in node.json("workspace", "ls"):
        node.wio("workspace", "delete", one["name"], "--delete-objects")


def test_diff(place: test_mc_verbs.Place) -> None:  # noqa: F811
    """A folder's times are whole seconds; mc takes a copy that looks older for another object."""
    time.sleep(1)
    test_mc_verbs.test_diff(place)


def _signed_up(service: Service, username: str) -> Person:
    person = service.person(username)
    return person if person.run("whoami").returncode == 0 else service.colleague(username)
