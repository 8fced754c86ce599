"""How far a crawl is, on standard error: one line rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from workspacesio.cli import output
from workspacesio.client.operating_system import takes_escapes
from workspacesio.client.times import lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TERMINAL_SECONDS = 0.5
PLAIN_SECONDS = 10.0
"""How often it is looked at and shown; a plain line stays, so there are fewer of them."""

FIRST_SECONDS = 0.1
"""The first looks come sooner: most crawls are short."""

OPEN = ("queued", "running")


def follow(look: Callable[[], dict[str, Any]], of: str) -> dict[str, Any]:
    """Look until the crawl has ended or is paused, and return it as it is then. `of` is what it is of."""
    terminal = sys.stderr.isatty() and takes_escapes(sys.stderr)
    pause = FIRST_SECONDS
    last = time.monotonic()
    said = ""
    try:
        while True:
            crawl = look()
            if crawl["state"] not in OPEN:
                return crawl
            if terminal:
                print(f"\r\x1b[K{fitting(crawl, of)}", end="", file=sys.stderr, flush=True)
            elif time.monotonic() - last >= PLAIN_SECONDS:
                now = line(crawl, of)
                if now != said:
                    print(now, file=sys.stderr, flush=True)
                said, last = now, time.monotonic()
            time.sleep(pause)
            pause = min(TERMINAL_SECONDS, pause * 1.5)
    finally:
        if terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def fitting(crawl: dict[str, Any], of: str) -> str:
    """The line as far as the terminal is wide: one that goes on below could not be written over."""
    room = shutil.get_terminal_size().columns - 1
    whole = line(crawl, of)
    if output.columns(whole) > room:
        whole = whole.removeprefix(f"{of}: ")
    while output.columns(whole) > room:
        whole = whole[:-1]
    return whole


def line(crawl: dict[str, Any], of: str) -> str:
    """Entries, bytes, the rate and the time that is left, as far as they are known; or that nothing comes."""
    if crawl["state"] == "queued":
        ahead = crawl.get("ahead")
        return f"{of}: waiting until crawl {ahead} has ended" if ahead else f"{of}: waiting for the worker"
    if crawl["problem"]:
        return f"{of}: {output.safe(crawl['problem'])}"
    parts = [f"{of}: {crawl['entries']:,} entries, {output.size(crawl['bytes'])}"]
    if crawl["entries_per_second"]:
        parts.append(f"{round(crawl['entries_per_second']):,} a second")
    if crawl["seconds_left"] is not None:
        parts.append(f"about {lasting(crawl['seconds_left'])} left")
    return ", ".join(parts)
