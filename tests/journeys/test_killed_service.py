"""SIGKILL at any moment of any write: the acknowledged is whole, the rest old or new, and nothing is left over."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from journeys.ledger import Client
from journeys.places import Place, own_workspace
from journeys.processes import endpoint_workers, lives, wait_until
from servers.process import ServerFailed
from servers.service import Service

KILLS_OF_ALL = 7
SECONDS_OF_KILLING_WORKERS = 15.0
KILLS_OF_THE_START = 4


@pytest.fixture
def place(running: Service) -> Place:
    return own_workspace(running.administrator(), "written")


def clients_of(place: Place, seed: int) -> list[Client]:
    small = [Client(place, f"small-{number}", keys=8, seed=seed + number) for number in range(3)]
    return [*small, Client(place, "big", keys=3, big=True, seed=seed + 9)]


def start_again(service: Service) -> None:
    os.unlink(service.log_path)
    service.start()


def staged(service: Service, folder: str) -> list[str]:
    try:
        return os.listdir(os.path.join(service.folder, ".workspacesio", folder))
    except FileNotFoundError:
        return []


def check_everything(clients: list[Client], place: Place, service: Service) -> None:
    """Every key, the listing, and the files on disk tell the same."""
    found: dict[str, tuple[int, str]] = {}
    for client in clients:
        found |= client.check_all()
    pages = place.client().get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.prefix)
    listed = [
        (entry["Key"], (entry["Size"], entry["ETag"].strip('"')))
        for page in pages
        for entry in page.get("Contents", ())
    ]
    assert dict(listed) == found
    assert [key for key, _ in listed] == sorted(found)
    on_disk = {
        os.path.relpath(os.path.join(folder, file), service.folder): os.path.getsize(os.path.join(folder, file))
        for folder, _, files in os.walk(os.path.join(service.folder, place.prefix))
        for file in files
    }
    assert on_disk == {key: size for key, (size, _) in found.items()}


def check_uploads(place: Place, service: Service) -> None:
    """What lies staged is what is listed as begun, or was killed before it had begun."""
    wait_until(lambda: not staged(service, "new"), "the files of killed writers are cleared")
    client = place.client()

    def agree() -> bool:
        listed = client.list_multipart_uploads(Bucket=place.bucket, Prefix=place.prefix)
        begun = {upload["UploadId"] for upload in listed.get("Uploads", ())}
        return begun == {name for name in staged(service, "uploads") if has_begun(service, name)}

    wait_until(agree, "the uploads that are listed are those that are staged")


def has_begun(service: Service, upload: str) -> bool:
    return os.path.exists(os.path.join(service.folder, ".workspacesio", "uploads", upload, "upload.json"))


def check_nothing_staged(service: Service) -> None:
    """Once uploads are old enough, they go too."""
    time.sleep(1.1)
    service.environment["WIO_UPLOAD_MAX_AGE_SECONDS"] = "1"
    service.restart()
    wait_until(lambda: not staged(service, "new") + staged(service, "uploads"), "abandoned uploads are cleared")


def at_work(clients: list[Client], *, settle: bool) -> Callable[[], None]:
    """All clients write, each in a thread. Returns a function that stops them and raises what one of them met."""
    stopped = threading.Event()
    pool = ThreadPoolExecutor(len(clients))
    working = [pool.submit(client.work, stopped.is_set, settle=settle) for client in clients]

    def stop() -> None:
        stopped.set()
        wait(working)
        pool.shutdown()
        for one in working:
            one.result()

    return stop


def test_everything_killed_at_any_moment(running: Service, place: Place) -> None:
    chance = random.Random(20261122)
    clients = clients_of(place, 1)
    for _ in range(KILLS_OF_ALL):
        stop = at_work(clients, settle=False)
        time.sleep(chance.uniform(0.1, 1.5))
        running.kill()
        stop()
        start_again(running)
        check_everything(clients, place, running)
        check_uploads(place, running)
    assert sum(client.interrupted for client in clients) > KILLS_OF_ALL
    check_nothing_staged(running)
    check_everything(clients, place, running)


def test_the_first_start_killed_at_any_moment(tree: str, tmp_path: Path) -> None:
    chance = random.Random(20261124)
    starting = Service(tree, base=str(tmp_path))
    for _ in range(KILLS_OF_THE_START):
        killer = threading.Timer(chance.uniform(0.4, 2.5), lambda: starting.process and starting.process.kill())
        killer.start()
        with contextlib.suppress(ServerFailed):
            starting.start()
        killer.join()
        if starting.process is not None:
            starting.kill()
        assert "Traceback" not in starting.log()
        os.unlink(starting.log_path)
    starting.start()
    try:
        roots = starting.administrator().json("root", "ls")
        assert sorted(root["name"] for root in roots) == ["existing", "private", "public"]
    finally:
        starting.stop()


def test_endpoint_workers_killed_at_any_moment(running: Service, place: Place) -> None:
    chance = random.Random(20261123)
    clients = clients_of(place, 2)
    stop = at_work(clients, settle=True)
    until = time.monotonic() + SECONDS_OF_KILLING_WORKERS
    turns = alternately(running)
    kills = 0
    try:
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.1, 0.6))
            os.kill(next(turns), signal.SIGKILL)
            kills += 1
    finally:
        stop()
    assert kills >= 5
    assert sum(client.interrupted for client in clients) >= kills / 2
    check_everything(clients, place, running)
    running.restart()
    check_everything(clients, place, running)
    check_uploads(place, running)
    check_nothing_staged(running)


def alternately(service: Service) -> Iterator[int]:
    """A worker that serves, each time another one than the time before, once both are there."""
    last: set[int] = set()
    while True:
        wait_until(lambda: len([pid for pid in endpoint_workers(service) if lives(pid)]) == 2, "two workers serve")
        workers = endpoint_workers(service)
        known = [pid for pid in workers if pid in last]
        chosen = known[0] if known else workers[0]
        last = set(workers) - {chosen}
        yield chosen
