"""Which numbers may be in an index already, so that only those are removed before they are put.

Numbers up to the largest that was there at the start may be; above it, those that were put since. A bit each: 10
million take 1.25 MB.
"""

_BLOCK_BITS = 16


class SeenIds:
    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._blocks: dict[int, bytearray] = {}

    def add(self, number: int) -> bool:
        """Whether it may be in the index; from now on it is."""
        if number <= self._largest:
            return True
        block = self._blocks.get(number >> _BLOCK_BITS)
        if block is None:
            block = self._blocks[number >> _BLOCK_BITS] = bytearray(2**_BLOCK_BITS // 8)
        place, bit = (number & (2**_BLOCK_BITS - 1)) >> 3, 1 << (number & 7)
        seen = block[place] & bit
        block[place] |= bit
        return bool(seen)
