"""One term of a query as it was written, and the one error that a query can get."""

from dataclasses import dataclass

from workspacesio.domain.errors import Invalid

CODE = "invalid_query"
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Term:
    """`at` and `length`: its place in the text, in characters; `value_at`: where its value begins.

    `field` is lower case; None for words. `value` is without quotes and their escapes. In `pattern` a backslash
    still says that the next character is meant as it is. `quoted`: some of the value was in quotes.
    """

    at: int
    length: int
    field: str | None
    value_at: int
    value: str
    pattern: str
    quoted: bool

    def wrong(self, problem: str, hint: str) -> Invalid:
        """About the value of a field, or all of a term without one."""
        end = self.at + self.length
        start = min(self.value_at, max(end - 1, self.at))
        return wrong_query(problem, hint, at=start, length=end - start)

    @property
    def shown(self) -> str:
        return shown(self.value)


def wrong_query(problem: str, hint: str, *, at: int, length: int = 1) -> Invalid:
    """`problem` begins the sentence, `hint` ends it. In the details: `at`, `length` (characters) and `hint`."""
    return Invalid(f"{problem}; {hint}.", code=CODE, details={"at": at, "length": length, "hint": hint})


def shown(text: str) -> str:
    """What was typed, short, for a sentence."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
