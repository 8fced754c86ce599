"""A parameter that nobody knows is a mistake that the caller wants to hear of: else `?query=x` finds everything.

It is refused on all routes of `APIRouter(dependencies=[KnownParameters])`.
"""

from difflib import get_close_matches

from fastapi import Depends, Request

from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_term import shown

_MEANT = {
    "cursor": "after",
    "facets": "by",
    "next": "after",
    "offset": "after",
    "order": "sort",
    "page": "after",
    "query": "q",
    "search": "q",
    "size": "limit",
    "text": "q",
}
"""What others call it. `limit` and `top` are each other's, where there is only one of them."""


async def _known_parameters(request: Request) -> None:
    """Raises Invalid for a query parameter that the route doesn't have, or that is given twice."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    given = request.query_params
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise Invalid(
            f"There is no parameter {shown(unknown)!r} here; {_hint(unknown, known)}.",
            code="no_such_parameter",
            details={"parameters": known},
        )
    twice = next((name for name in known if len(given.getlist(name)) > 1), None)
    if twice is not None:
        raise Invalid(f"The parameter {twice!r} is given twice; give it once.", code="repeated_parameter")


KnownParameters = Depends(_known_parameters)


def _hint(unknown: str, known: list[str]) -> str:
    if not known:
        return "this address takes none"
    name = unknown.lower()
    close = [_MEANT.get(name, ""), {"limit": "top", "top": "limit"}.get(name, ""), *get_close_matches(name, known)]
    meant = next((one for one in close if one in known), None)
    return f"did you mean {meant}" if meant else f"there are {', '.join(known)}"
