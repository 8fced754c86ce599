"""Eight processes on the same keys, two workers, a shell that edits the files: whole versions, conditions hold."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from journeys import racers, versions
from journeys.places import Place, own_workspace
from journeys.processes import connections, endpoint_workers
from journeys.racers import Race
from servers.service import Service, service
from workspacesio.nodes.folder.reading import VIEW_BYTES

# One process of the test run makes the service and the racers for all of them.
pytestmark = pytest.mark.xdist_group("races")

PROCESSES = 9
SECONDS = 10


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    base = tmp_path_factory.mktemp("races")
    (base / "data").mkdir()
    with service(str(base / "data"), base=str(base / "service")) as running:
        running.administrator()
        yield running


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert sorted(processes.map(racers.warm_up, range(PROCESSES))) == list(range(PROCESSES))
        yield processes


def folder_of(place: Place, served: Service) -> str:
    return os.path.join(served.folder, place.prefix)


def test_every_get_is_one_version_while_a_shell_edits(served: Service, pool: ProcessPoolExecutor) -> None:
    place = own_workspace(served.person("ada"), "edited")
    scratch = os.path.join(served.base, "scratch")
    os.mkdir(scratch)
    race = Race(place, time.time() + SECONDS, folder_of(place, served), scratch)
    client = place.client()
    for key in racers.KEYS:
        client.put_object(**race.named(key), Body=racers.new_content("put", key, random.Random(key)))
    writing = [pool.submit(racers.write, race, seed) for seed in range(4)]
    reading = [pool.submit(racers.read, race, seed) for seed in range(10, 14)]
    editing = pool.submit(racers.edit, race, 20)

    time.sleep(4)
    workers = endpoint_workers(served)
    assert len(workers) == 2
    assert all(connections(pid, served.s3_port) for pid in workers)

    written, seen = Counter[str](), Counter[str]()
    for one in writing:
        written.update(one.result())
    for one in reading:
        seen.update(one.result())
    edited = editing.result()
    assert all(edited[key] and seen[key] for key in racers.KEYS)
    assert written["put"] > 20
    assert sum(seen[key] for key in racers.KEYS) > 30


def test_a_file_that_is_being_written_is_waited_for(served: Service, pool: ProcessPoolExecutor) -> None:
    place = own_workspace(served.person("ada"), "written-slowly")
    folder = folder_of(place, served)
    os.makedirs(folder)
    keys = ["one", "two"]
    for key in keys:
        Path(folder, key).write_bytes(versions.content(versions.new_name("slowly"), 2))
    race = Race(place, time.time() + 5, folder, "")
    writing = [pool.submit(racers.write_in_pieces, race, key) for key in keys]
    reading = [pool.submit(racers.read_halves, race, key) for key in keys * 2]
    slow = {name for one in writing for name in one.result()}
    for one in reading:
        whole, halves = one.result()
        assert whole > 5
        assert {name for name in halves if name} <= slow
        assert len(halves) <= 2 * len(slow)


EDITS = {
    "cp": (False, 'cp "$NEW" "$T"'),
    "dd": (False, 'dd if="$NEW" of="$T" conv=notrunc bs=1M status=none'),
    "echo >>": (False, 'echo more >> "$T"'),
    "truncate": (False, 'truncate -s 1M "$T"'),
    "mv": (True, 'mv "$NEW" "$T"'),
    "sed -i": (True, "sed -i -E 's/put-[0-9a-f]{12}/sed-000000000000/g' \"$T\""),
    "rm": (True, 'rm "$T"'),
}
"""What a shell does while a body is being sent, and whether what was opened is still there to be sent whole."""


@pytest.mark.parametrize("edit", EDITS)
def test_a_body_under_way_is_whole_or_broken_off(served: Service, tmp_path: Path, edit: str) -> None:
    """The client has taken a little when the file is edited, and takes the rest then."""
    is_whole, command = EDITS[edit]
    name = f"edited-{list(EDITS).index(edit)}"
    place = own_workspace(served.person("ada"), name)
    old = versions.content(versions.new_name("put"), 48 * 1024)
    named = {"Bucket": place.bucket, "Key": place.key("file")}
    s3 = place.client(timeout=20)
    s3.put_object(**named, Body=old)
    new = tmp_path / "new"
    new.write_bytes(versions.content(versions.new_name("mv"), 48 * 1024))

    body = s3.get_object(**named)["Body"]
    received = body.read(1 << 20)
    target = os.path.join(folder_of(place, served), "file")
    subprocess.run(["sh", "-c", command], env={**os.environ, "T": target, "NEW": str(new)}, check=True)
    try:
        while piece := body.read(1 << 20):
            received += piece
    except (ResponseStreamingError, IncompleteReadError):
        assert not is_whole
        assert old.startswith(received[: max(1 << 20, len(received) - VIEW_BYTES)])
    else:
        assert is_whole
        assert received == old


@pytest.mark.parametrize(("blocks", "times", "processes"), [(1, 15, 8), (9_000, 3, 4)], ids=["1 KiB", "9 MiB"])
def test_no_update_on_condition_is_lost(
    served: Service, pool: ProcessPoolExecutor, blocks: int, times: int, processes: int
) -> None:
    place = own_workspace(served.person("ada"), f"counted-{blocks}")
    client = place.client()
    client.put_object(Bucket=place.bucket, Key=place.key("n"), Body=versions.content("count-000000000000", blocks))
    counting = [pool.submit(racers.count_up, place, "n", blocks, times) for _ in range(processes)]
    numbers = [number for one in counting for number in one.result()]
    assert sorted(numbers) == list(range(1, times * processes + 1))
    last = client.get_object(Bucket=place.bucket, Key=place.key("n"))["Body"].read()
    assert last == versions.content(f"count-{times * processes:012x}", blocks)


def test_exactly_one_of_many_creates_an_object(served: Service, pool: ProcessPoolExecutor, tmp_path: Path) -> None:
    place = own_workspace(served.person("ada"), "created")
    folder, rounds = folder_of(place, served), 25
    kinds = ["put", "put", "put", "put", "parts", "parts", "copy", "ln"]
    creating = [
        pool.submit(racers.create, place, kind, folder, str(tmp_path), len(kinds), rounds) for kind in kinds
    ]
    winners: dict[int, list[str]] = {number: [] for number in range(rounds)}
    for kind, one in zip(kinds, creating, strict=True):
        for number in one.result():
            winners[number].append(kind)
    client = place.client()
    for number, won in winners.items():
        data = client.get_object(Bucket=place.bucket, Key=place.key(f"new-{number}"))["Body"].read()
        assert len(won) == 1, (number, won)
        assert versions.whole(data)[0].startswith(won[0])
    assert len({won[0] for won in winners.values()}) > 1


def test_what_one_worker_acknowledged_every_worker_gives(served: Service, pool: ProcessPoolExecutor) -> None:
    place = own_workspace(served.person("ada"), "seen")
    looking = [pool.submit(racers.see_own_writes, place, f"own-{number}", 5) for number in range(4)]
    assert [one.result() for one in looking] == [5 * 7] * 4
