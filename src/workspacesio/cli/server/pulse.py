"""Signs of life: a part that hangs is alive, but says nothing any more."""

import mmap
import struct
import time

_NUMBER = struct.Struct("d")


class Pulse:
    """One number in memory that a part shares with who looks after it: until when the next sign comes.

    Made before the part is forked. Times are of the monotonic clock, which all processes share.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NUMBER.size)

    def beat(self, within: float) -> None:
        """The next sign follows in so many seconds at most."""
        self._memory[:] = _NUMBER.pack(time.monotonic() + within)

    def is_late(self) -> bool:
        until: float = _NUMBER.unpack(self._memory[:])[0]
        return time.monotonic() > until
