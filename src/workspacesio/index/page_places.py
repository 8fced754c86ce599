"""Where a page of a search ends, and the next one begins: a place in the order of both engines."""

import json
from dataclasses import dataclass

from workspacesio.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Place:
    """Right behind an entry. `rank` is 0 where the order has none."""

    rank: int
    value: int | str
    id: int

    def cursor(self) -> str:
        return json.dumps([self.rank, self.value, self.id], ensure_ascii=False)

    @classmethod
    def read(cls, cursor: str) -> "Place":
        """Raises Invalid."""
        try:
            rank, value, number = json.loads(cursor)
        except ValueError:
            rank = value = number = None
        if not isinstance(rank, int) or not isinstance(value, int | str) or not isinstance(number, int):
            raise Invalid("This is not a place in a search; ask for the first page again.", code="invalid_cursor")
        return cls(rank, value, number)
