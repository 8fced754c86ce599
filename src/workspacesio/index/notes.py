"""What an answer of the index says about itself besides the answer."""

from typing import NamedTuple


class Note(NamedTuple):
    """`code` is stable and meant for programs, `sentence` for people. `roots`: those that it is about, if any."""

    code: str
    sentence: str
    roots: tuple[str, ...] = ()
