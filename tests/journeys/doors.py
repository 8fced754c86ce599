"""The doors to a shared folder: five clients that hold keys, and whoever signs requests by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from accidents.wire import Keys, from_every_worker, key_path
from journeys.conftest import TREE
from servers.clients import CLIENTS, Client, Refused


class Doors:
    """Every way to the workspace `plates` of `TREE`, all opened with one credential for it."""

    def __init__(self, credential: dict[str, Any]) -> None:
        covered = next(one for one in credential["workspaces"] if one["prefix"] == "plates/")
        self.bucket, self.prefix = str(covered["bucket"]), str(covered["prefix"])
        self._keys = Keys.of(credential)
        self._clients: Mapping[str, Client] = {name: make(credential) for name, make in CLIENTS.items()}

    def let_in_readers(self) -> None:
        """Each lists and reads exactly what was shared, and is refused a write and what lies beside it."""
        shared = {self.prefix + path.removeprefix("plates/") for path in TREE if path.startswith("plates/")}
        for name, client in self._clients.items():
            assert client.list(self.bucket, self.prefix) == shared, name
            for path in ("2026-01/plate-1.csv", "r\u00e9sum\u00e9 + 100%.txt"):
                assert client.read(self.bucket, self.prefix + path) == TREE[f"plates/{path}"], name
            with pytest.raises(Refused):
                client.write(self.bucket, self.prefix + f"new-{name}.txt", b"no")
            with pytest.raises(Refused):
                client.read(self.bucket, "plates-2/secret.txt")
        readable = from_every_worker(lambda: self._keys.get(key_path(self.bucket, self.prefix + "raw/a/b")))
        assert {(answer.status, answer.body) for answer in readable} == {(200, b"2")}

    def are_shut(self) -> None:
        """The very next request of each is refused, and so is what follows, by every worker."""
        for client in self._clients.values():
            with pytest.raises(Refused):
                client.read(self.bucket, self.prefix + "2026-01/plate-1.csv")
            with pytest.raises(Refused):
                client.list(self.bucket, self.prefix)
        # The clients reach whichever worker is idle; these reach both.
        plate = key_path(self.bucket, self.prefix + "2026-01/plate-1.csv")
        for ask in (lambda: self._keys.get(plate), lambda: self._keys.list(self.bucket, self.prefix)):
            answers = from_every_worker(ask)
            assert {(answer.status, answer.code) for answer in answers} == {(403, "AccessDenied")}
