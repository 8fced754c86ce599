"""What notebooks show: small tables in HTML, in which every name is text, whatever it holds."""

from __future__ import annotations

import html

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ROWS = 100


def table(title: str, heading: Sequence[str], rows: Iterable[Sequence[object]], *, left_out: int = 0) -> str:
    """`left_out`: how many more rows there are than those that are given."""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in heading)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    more = f"<p>and {left_out:,} more</p>" if left_out > 0 else ""
    return f"<p><b>{_text(title)}</b></p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _text(value: object) -> str:
    """Control characters, and those that turn a line around, as their escapes."""
    text = "" if value is None else str(value)
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return html.escape(shown)
