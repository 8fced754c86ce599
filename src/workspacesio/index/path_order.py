"""Pages sorted by path as people read it, `owner/workspace/path`: engines know paths in workspaces, and no names.

All workspaces with hits are counted first, exactly, and put in order by their names. A page takes as many as fit
whole in one request, and the one in which it ends in another. Its place is a workspace's name and, if that isn't
shown to its end, the engine's place in it: so what stays as it is is shown exactly once, as in any other order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_query import AllOf, Workspaces
from workspacesio.index.engine import EngineReader, Facet, FacetRequest, Hit, SearchPage, SearchRequest


def page_by_path(engine: EngineReader, request: SearchRequest, names: Mapping[int, str]) -> SearchPage:
    """`names`: `owner/workspace/` of every workspace in which there may be hits, by number.

    Raises as the engine, and Invalid for a place that is none.
    """
    [counted] = engine.facets(request.query, [FacetRequest(Facet.WORKSPACE, len(names) + 1)])
    counts = {int(bucket.key): bucket.count for bucket in counted.buckets}
    total, size = sum(counts.values()), sum(bucket.bytes for bucket in counted.buckets)
    # One that isn't among them is a damage, which whoever asks finds by its hits.
    names = {number: names.get(number, "") for number in counts}
    waiting = sorted(counts, key=names.__getitem__, reverse=request.descending)
    within = None
    if request.after is not None:
        name, within = _place(request.after)
        waiting = [one for one in waiting if _comes(names[one], name, request, itself=within is not None)]
        if not waiting or names[waiting[0]] != name:
            within = None
    hits: list[Hit] = []
    while waiting and len(hits) < request.limit:
        room = request.limit - len(hits)
        batch = waiting[:1] if within is not None else _whole(waiting, counts, room)
        page = _within(engine, request, batch, room, within)
        if page.next_after is not None and len(batch) > 1:
            # More came in between: then one after the other.
            batch = batch[:1]
            page = _within(engine, request, batch, room, None)
        hits += sorted(page.hits, key=lambda hit: names[hit.workspace_id], reverse=request.descending)
        within = page.next_after
        last = names[batch[-1]]
        if within is None:
            waiting = waiting[len(batch) :]
    after = f"{last}\n{within or ''}" if hits and waiting else None
    return SearchPage(total, size, tuple(hits), after)


def _whole(waiting: Sequence[int], counts: Mapping[int, int], room: int) -> list[int]:
    """The first workspaces that fit together, one at least."""
    batch = [waiting[0]]
    room -= counts[waiting[0]]
    for one in waiting[1:]:
        room -= counts[one]
        if room < 0:
            break
        batch.append(one)
    return batch


def _within(
    engine: EngineReader, request: SearchRequest, batch: Sequence[int], room: int, after: str | None
) -> SearchPage:
    """Sorting by name afterwards keeps the engine's order, by path, within each workspace."""
    query = AllOf((Workspaces(frozenset(batch)), request.query))
    return engine.search(replace(request, query=query, limit=room, after=after))


def _comes(name: str, place: str, request: SearchRequest, *, itself: bool) -> bool:
    if name == place:
        return itself
    return name < place if request.descending else name > place


def _place(after: str) -> tuple[str, str | None]:
    """Names of workspaces hold no line break."""
    name, found, within = after.partition("\n")
    if not found:
        raise Invalid("This is not a place in a search; ask for the first page again.", code="invalid_cursor")
    return name, within or None
