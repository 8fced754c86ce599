"""Answers that go out together, at the end of the loop's round in which they were made.

A client on the same machine is woken by its answer and takes the processor, from the very process that has the
next answers to make. Sent together, the answers of a round cost one such change instead of one each: with 16
connections a GET of 1 KiB took 158 µs of processor time instead of 182.
"""

import asyncio
from typing import Protocol

SMALL_BYTES = 64 << 10
"""What is longer is sent at once: it is a round's work by itself, and to join it to others would copy it."""


class Sender(Protocol):
    """A connection that holds something back."""

    def send_held(self) -> None: ...


class Rounds:
    """One for each loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """`sender.send_held` is called after what is ready now, and what arrives meanwhile, was looked at once."""
        if not self._senders:
            self._loop.call_soon(self._end)
        self._senders.append(sender)

    def _end(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.send_held()
