"""A folder is imported, shared, read with five clients, and un-shared: every door shuts at once."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from accidents.wire import Keys, from_every_worker, send
from journeys.conftest import TREE
from journeys.doors import Doors
from servers.clients import CLIENTS, Refused, boto3_client
from servers.service import Service


def test_a_share_is_read_with_every_client_until_it_is_taken_back(each_database: Service) -> None:
    ada = each_database.administrator()
    bob = each_database.colleague("bob")
    ada.wio("root", "import", "existing", "plates", "--owner", "ada")
    ada.wio("share", "plates", "bob")

    credential = bob.token("ada/plates")
    doors = Doors(credential)
    own = boto3_client(credential).generate_presigned_url(
        "get_object", Params={"Bucket": doors.bucket, "Key": doors.prefix + "raw/a/b"}
    )
    links = [bob.wio("presign", "ada/plates/raw/a/b").strip(), own]
    doors.let_in_readers()
    for link in links:
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"2"

    ada.wio("unshare", "plates", "bob")

    doors.are_shut()
    keys = Keys.of(credential)
    for link in links:
        target = link.removeprefix(each_database.s3_url)
        asked = from_every_worker(lambda target=target: send(keys.host, keys.port, "GET", target, {}))
        assert {answer.status for answer in asked} == {403}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(link)
        with refused.value as answer:
            assert answer.code == 403
    bob.refused("workspace", "show", "ada/plates")
    assert "plates" not in bob.wio("ls")


def test_a_link_out_of_a_shared_folder_widens_nothing(running: Service, tree: str) -> None:
    os.symlink("../2026-01/plate-1.csv", os.path.join(tree, "plates", "raw", "up.csv"))
    os.symlink("a0", os.path.join(tree, "plates", "raw", "beside"))
    ada = running.administrator()
    bob = running.colleague("bob")
    ada.wio("root", "import", "existing", "plates", "--owner", "ada")
    ada.wio("share", "plates/raw", "bob")
    owner, holder = (CLIENTS["boto3"](person.token("ada/plates")) for person in (ada, bob))
    bucket, prefix = "data", "plates/raw/"

    assert owner.read(bucket, prefix + "up.csv") == TREE["plates/2026-01/plate-1.csv"]
    assert prefix + "up.csv" in owner.list(bucket, prefix)
    assert holder.read(bucket, prefix + "beside") == TREE["plates/raw/a0"]
    assert holder.list(bucket, prefix) == {prefix + name for name in ("a-b", "a/b", "a0", "beside")}
    with pytest.raises(botocore.exceptions.ClientError, match="NoSuchKey"):
        holder.read(bucket, prefix + "up.csv")


def test_a_disabled_user_is_refused_at_once(each_database: Service) -> None:
    ada = each_database.administrator()
    bob = each_database.colleague("bob")
    bob.wio("create", "mine")
    credential = bob.token()
    client = CLIENTS["boto3"](credential)
    mine = credential["workspaces"][0]
    client.write(mine["bucket"], mine["prefix"] + "kept.txt", b"kept")

    ada.wio("user", "disable", "bob")
    for _ in range(4):
        with pytest.raises(Refused):
            client.read(mine["bucket"], mine["prefix"] + "kept.txt")
    bob.refused("ls")
