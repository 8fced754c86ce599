"""Listing a folder node, without HTTP: what a page costs in the driver, and what a huge folder needs.

    python benchmarks/listing.py [--million] [--folder DIR]

Prints processor and elapsed time per page of 1,000 keys out of 100,000 (flat, in 1,000 folders, with records,
with a delimiter), pages per second from four threads, and with `--million` a folder of 1,000,000 files: its first
page, later pages, a page in a process that has not seen the folder, pages while the folder is being changed, and
the most memory that the process had.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.folder.listing import list_folder
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.resolve import NodeTree
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.values import ListPage, ListRequest, ObjectMetadata, Scope

SETTLE_SECONDS = 3


class Node:
    def __init__(self, path: str, state: str) -> None:
        self.tree = NodeTree(path, FolderLayout.BUCKET, "data")
        self.tree.check()
        self.records = MetadataStore(state, 1)
        self.snapshots = Snapshots(os.path.join(state, "listings", "1"))

    def page(self, after: str = "", delimiter: str = "") -> ListPage:
        return list_folder(
            self.tree, self.records, self.snapshots, Scope("data", ""), ListRequest("", delimiter, after)
        )


def make_files(folder: str, names: list[str]) -> None:
    for name in names:
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY, 0o644))


def give_records(folder: str, records: MetadataStore) -> None:
    for name in os.listdir(folder):
        fd = os.open(os.path.join(folder, name), os.O_RDONLY)
        metadata = ObjectMetadata(
            etag="0" * 32, headers={"content-type": "text/plain"}, checksums={"CRC64NVME": "AAAAAAAAAAA="}
        )
        records.write(fd, os.fstat(fd), metadata, durable=False)
        os.close(fd)


def time_pages(node: Node, delimiter: str = "") -> tuple[list[float], list[float], int]:
    elapsed, processor, after, count = [], [], "", 0
    while True:
        began, used = time.perf_counter(), time.process_time()
        page = node.page(after, delimiter)
        elapsed.append((time.perf_counter() - began) * 1000)
        processor.append((time.process_time() - used) * 1000)
        count += len(page.objects) + len(page.common_prefixes)
        if page.next_after is None:
            return elapsed, processor, count
        after = page.next_after


def report(name: str, node: Node, delimiter: str = "") -> None:
    time_pages(node, delimiter)
    elapsed, processor, count = time_pages(node, delimiter)
    print(
        f"{name:46}{len(elapsed):5} pages {count:8} entries   processor {statistics.median(processor):6.2f} ms"
        f"   elapsed {statistics.median(elapsed):6.2f} ms (worst {max(elapsed):.1f})"
    )


def four_threads(name: str, node: Node) -> None:
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        pages = sum(len(result[0]) for result in pool.map(lambda _: time_pages(node), range(4)))
    print(f"{name:46}{pages / (time.perf_counter() - began):8.0f} pages/s in one process")


def most_memory() -> str:
    with open("/proc/self/status") as status:
        values = dict(line.split(":", 1) for line in status)
    return f"most memory {int(values['VmHWM'].split()[0]) // 1024} MB"


def timed(name: str, action: Callable[[], ListPage]) -> ListPage:
    began = time.perf_counter()
    page = action()
    print(f"{name:46}{(time.perf_counter() - began) * 1000:10.1f} ms   {most_memory()}")
    return page


def a_million(folder: str, state: str) -> None:
    path = os.path.join(folder, "million")
    if not os.path.exists(path):
        os.makedirs(path)
        for index in range(1_000_000):
            name = f"sample-{index * 7919 % 1_000_003:07d}-scan.tif"
            os.close(os.open(os.path.join(path, name), os.O_CREAT | os.O_WRONLY, 0o644))
    time.sleep(SETTLE_SECONDS)
    node = Node(path, state)
    timed("1,000,000 files: first page", node.page)
    for after in ("sample-0000999-scan.tif", "sample-0500000-scan.tif", "sample-0999000-scan.tif"):
        timed(f"  page behind {after}", lambda after=after: node.page(after))  # type: ignore[misc]
    print(subprocess.run([sys.executable, __file__, "--one-page", path, state], check=True, text=True,
                         capture_output=True).stdout, end="")  # fmt: skip
    elapsed, _, count = time_pages(node)
    print(f"  all {count} in {len(elapsed)} pages: median {statistics.median(elapsed):.1f} ms, "
          f"worst {max(elapsed):.1f} ms   {most_memory()}")  # fmt: skip
    stop = threading.Event()
    writer = threading.Thread(target=keep_changing, args=(path, stop))
    writer.start()
    time.sleep(0.1)
    timed("  first page while files come and go", node.page)
    timed("  a later page while files come and go", lambda: node.page("sample-0500000-scan.tif"))
    stop.set()
    writer.join()


def keep_changing(path: str, stop: threading.Event) -> None:
    name = os.path.join(path, "sample-0000000-changing")
    while not stop.wait(0.01):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644))
        os.remove(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--folder", help="where to make the files; kept if given")
    parser.add_argument("--one-page", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_page:
        node = Node(*arguments.one_page)
        timed("  a page in another process", lambda: node.page("sample-0700000-scan.tif"))
        return
    folder = arguments.folder or tempfile.mkdtemp(prefix="listing-")
    state = os.path.join(folder, "state")
    try:
        flat, nested, kept = (os.path.join(folder, name) for name in ("flat", "nested", "records"))
        if not os.path.exists(flat):
            make_files(flat, [f"object-{index:06d}.dat" for index in range(100_000)])
            make_files(nested, [f"folder-{i:04d}/object-{j:03d}.dat" for i in range(1_000) for j in range(100)])
            make_files(kept, [f"object-{index:06d}.dat" for index in range(100_000)])
            give_records(kept, MetadataStore(state, 1))
        time.sleep(SETTLE_SECONDS)
        report("100,000 in one folder", Node(flat, state))
        report("100,000 in one folder, with records", Node(kept, state))
        report("100,000 in 1,000 folders", Node(nested, state))
        report("1,000 folders by delimiter", Node(nested, state), delimiter="/")
        four_threads("100,000 in one folder, 4 threads", Node(flat, state))
        four_threads("100,000 in 1,000 folders, 4 threads", Node(nested, state))
        print(most_memory())
        if arguments.million:
            a_million(folder, state)
    finally:
        if not arguments.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
