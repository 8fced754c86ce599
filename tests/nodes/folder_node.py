"""A folder node for tests: the driver, its data folder and its state folder."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nodes.contract import Harness, Scenario
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.filesystem import read_identity
from workspacesio.nodes.values import Durability

BUCKET = "data"


def make_driver(
    folder: Path, state: Path, *, layout: FolderLayout = FolderLayout.BUCKET, **options: Any
) -> FolderDriver:
    options.setdefault("durability", Durability.PROCESS)
    if "filesystem_identity" not in options:
        options["filesystem_identity"] = read_identity(str(folder))
    return FolderDriver(1, str(folder), layout, BUCKET, state, **options)


@asynccontextmanager
async def opened_node(folder: Path, state: Path, **options: Any) -> AsyncIterator[Harness]:
    driver = make_driver(folder, state, **options)
    try:
        yield Harness(driver, BUCKET)
    finally:
        await driver.close()


class FolderNodeUnderTest:
    """`run(scenario)` runs a scenario on a new driver over the same data and state folders."""

    def __init__(self, base: Path, **options: Any) -> None:
        self.folder = base / "data"
        self.state = base / "state"
        self.options = options
        self.folder.mkdir(mode=0o755, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.state.mkdir(exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def run(self, scenario: Scenario, **options: Any) -> Any:
        async def whole() -> Any:
            async with opened_node(self.folder, self.state, **{**self.options, **options}) as harness:
                return await scenario(harness)

        before = open_files()
        result = asyncio.run(whole())
        deadline = time.monotonic() + 2
        # What earlier tests left to be collected may be gone by now; what is new has to go.
        while (left := open_files() - before) and time.monotonic() < deadline:
            # What an error's traceback holds goes with it, and a thread may be at its last job.
            gc.collect()
            time.sleep(0.01)
        assert not left, f"descriptors were left open: {left}"
        return result

    def staged(self) -> list[str]:
        """What lies in the staging folder, as paths below it."""
        base = self.folder / ".workspacesio"
        return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())


def open_files() -> set[tuple[str, str]]:
    """Number and path of every open file and folder of this process."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("/") and not target.startswith(("/proc/", "/dev/")):
            found.add((name, target))
    return found


Run = Callable[[Scenario], Any]
