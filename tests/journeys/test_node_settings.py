"""What a folder node takes and serves is changed while it runs: every worker follows from the next request on."""

from __future__ import annotations

import os
from pathlib import Path

from accidents.wire import Answer, Keys, from_every_worker, key_path
from journeys.disks import disk
from servers.service import Person, Service


def test_every_worker_follows_what_the_node_was_set_to(each_database: Service, tree: str, tmp_path: Path) -> None:
    ada = each_database.administrator()
    bob = each_database.colleague("bob")
    with disk(str(tmp_path)) as inside:
        plates = os.path.join(tree, "plates")
        os.makedirs(os.path.join(plates, "mounted"))
        inside.mount(at=os.path.join(plates, "mounted"))
        try:
            _write(os.path.join(plates, "mounted", "far"), mode=0o644)
            _write(os.path.join(plates, "closed"), mode=0o600)
            ada.wio("root", "import", "existing", "plates", "--owner", "ada")
            keys = Keys.of(ada.token("plates"))

            def read(name: str) -> set[tuple[int, bytes]]:
                """Status, and the bytes or what the listing says of the key, as every worker has them."""
                path = key_path("data", f"plates/{name}")
                found = from_every_worker(lambda: keys.get(path))
                listed = from_every_worker(lambda: keys.list("data", f"plates/{name}"))
                assert {f"plates/{name}" in answer.texts("Key") for answer in listed} == {found[0].status == 200}
                return {(answer.status, answer.body if answer.status == 200 else b"") for answer in found}

            def write() -> set[tuple[int, str]]:
                answers = from_every_worker(lambda: keys.put(key_path("data", "plates/new"), b"1"))
                return {_outcome(answer) for answer in answers}

            for option, name in (("--serve-owner-only", "closed"), ("--cross-filesystems", "mounted/far")):
                assert read(name) == {(404, b"")}
                _set(ada, option, "on")
                assert read(name) == {(200, b"kept")}
                _set(ada, option, "off")
                assert read(name) == {(404, b"")}

            assert write() == {(200, "")}
            _set(ada, "--read-only", "on")
            assert write() == {(403, "StorageReadOnly")}
            assert "takes no writes" in ada.refused("create", "another")
            assert ada.json("node", "show", "local")["read_only"] is True
            _set(ada, "--read-only", "off")
            assert write() == {(200, "")}
        finally:
            inside.unmount(at=os.path.join(plates, "mounted"))

    assert "no such node" in bob.refused("node", "set", "local", "--read-only", "on")
    assert ada.run("node", "set", "local").returncode == 2
    assert ada.run("node", "set", "local", "--read-only", "perhaps").returncode == 2
    assert "public_endpoint" in ada.refused("node", "set", "local", "--public-endpoint", "http://127.0.0.1:1")


def test_a_service_that_was_read_only_at_first_is_not_for_good(running: Service) -> None:
    running.stop()
    running.options = ["--read-only"]
    running.state_dir += "-fresh"
    os.unlink(running.log_path)
    running.start()
    ada = running.administrator()
    assert "read-only" in ada.refused("create", "mine")
    running.options = []
    running.restart()
    ada.wio("create", "mine")
    mine = ada.token("mine")["workspaces"][0]
    answer = Keys.of(ada.token("mine")).put(key_path(mine["bucket"], mine["prefix"] + "x"), b"1")
    assert answer.status == 200


def _set(person: Person, option: str, state: str) -> None:
    assert person.wio("node", "set", "local", option, state) == "The node local is changed.\n"


def _outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


def _write(path: str, *, mode: int) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write("kept")
    os.chmod(path, mode)
