"""What one commit of the index has answered already: totals and facets, which nothing can change.

A walk over pages counts once, and whoever looks at everything in sight again waits for nothing. Kept with the
searcher of the commit, so it ends with it. The question holds the caller's sight: other rights ask another one.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

MOST = 50
"""Answers kept, the latest asked for; each key holds a caller's sight."""
MOST_BUCKETS = 2_000
"""Of a kept answer's facets together; 50 such answers take 25 MB."""

Answer = TypeVar("Answer")


class Answers:
    """Safe in threads. Two that ask the same at once may both look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, object] = OrderedDict()

    def of(
        self, asked: Hashable, look: Callable[[], Answer], is_kept: Callable[[Answer], bool] = lambda _: True
    ) -> Answer:
        with self._lock:
            if asked in self._known:
                self._known.move_to_end(asked)
                return self._known[asked]  # type: ignore[return-value]  # what `look` gave for this key
        answer = look()
        if is_kept(answer):
            with self._lock:
                self._known[asked] = answer
                while len(self._known) > MOST:
                    self._known.popitem(last=False)
        return answer
