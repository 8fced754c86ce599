"""A folder is imported, shared, read with five clients, and un-shared: every door shuts at once."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from journeys.conftest import TREE
from servers.clients import CLIENTS, Refused
from servers.service import Service


def test_a_share_is_read_with_every_client_until_it_is_taken_back(each_database: Service) -> None:
    ada = each_database.administrator()
    bob = each_database.colleague("bob")
    ada.wio("root", "import", "existing", "plates", "--owner", "ada")
    ada.wio("share", "plates", "bob")

    credential = bob.token("ada/plates")
    covered = credential["workspaces"][0]
    bucket, prefix = covered["bucket"], covered["prefix"]
    clients = {name: make(credential) for name, make in CLIENTS.items()}
    link = bob.wio("presign", "ada/plates/raw/a/b").strip()
    expected = {prefix + path.removeprefix("plates/") for path in TREE if path.startswith("plates/")}

    for name, client in clients.items():
        assert client.list(bucket, prefix) == expected, name
        assert client.read(bucket, prefix + "2026-01/plate-1.csv") == TREE["plates/2026-01/plate-1.csv"], name
        assert client.read(bucket, prefix + "r\u00e9sum\u00e9 + 100%.txt") == b"accents and signs\n", name
        with pytest.raises(Refused):
            client.write(bucket, prefix + f"new-{name}.txt", b"no")
        with pytest.raises(Refused):
            client.read(bucket, "plates-2/secret.txt")
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"2"

    ada.wio("unshare", "plates", "bob")

    for name, client in clients.items():
        # Several times, so that each of the two workers is asked.
        for _ in range(4):
            with pytest.raises(Refused):
                client.read(bucket, prefix + "2026-01/plate-1.csv")
        with pytest.raises(Refused):
            client.list(bucket, prefix)
        assert name
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link)
    with refused.value as answer:
        assert answer.code == 403
    bob.refused("workspace", "show", "ada/plates")
    assert "plates" not in bob.wio("ls")


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
