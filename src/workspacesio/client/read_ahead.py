"""What an open file keeps of what it read: little for who reads here and there, ever more for who reads on."""

from __future__ import annotations

from fsspec.caching import BaseCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_AHEAD = 256 << 10


class ReadAhead(BaseCache):
    """Gives ranges exactly as they are asked for.

    With one that begins where the last one ended, what follows is fetched too: twice as much each time, up to
    `blocksize`.
    """

    name = "wio"

    def __init__(
        self, blocksize: int, fetcher: Callable[[int, int], bytes], size: int, begin: int, held: bytes
    ) -> None:
        """`held`: the bytes from `begin` on, which are there already."""
        super().__init__(blocksize, fetcher, size)
        self._known = self._last = begin, held
        self._ahead = 0

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        start, stop = start or 0, self.size if stop is None else min(stop, self.size)
        if start >= stop:
            return b""
        for begin, held in (self._last, self._known):
            if begin <= start and stop <= begin + len(held):
                return bytes(held[start - begin : stop - begin])
        begin, held = self._last
        end = begin + len(held)
        if not begin <= start <= end:
            self._ahead = 0
            return self._keep(start, self.fetcher(start, stop), stop - start)
        self._ahead = min(max(2 * self._ahead, FIRST_AHEAD), self.blocksize)
        rest = self.fetcher(end, min(max(stop, end + self._ahead), self.size))
        return self._keep(start, held[start - begin :] + rest if start < end else rest, stop - start)

    def _keep(self, start: int, data: bytes, wanted: int) -> bytes:
        """What is larger than a block is the reader's alone; only where it ended is remembered."""
        self._last = (start, data) if len(data) <= 2 * self.blocksize else (start + len(data), b"")
        return data if len(data) == wanted else data[:wanted]
