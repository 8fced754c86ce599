"""Search: what the caller may read, found, counted and summed up. Rights are read at each request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from workspacesio.api.dependencies import Call, SignedIn, Step
from workspacesio.api.fields import MAX_PAGE, Id, Instant, Line
from workspacesio.api.index_answers import Counted, Remark, instant, remarks
from workspacesio.api.query_parameters import KnownParameters
from workspacesio.domain.errors import Invalid
from workspacesio.index import aggregating, searching, sizes
from workspacesio.index.aggregating import By, FacetView
from workspacesio.index.engine import Sort
from workspacesio.index.searching import FoundEntry

router = APIRouter(tags=["index"], dependencies=[KnownParameters])

Text = Annotated[
    str, Query(description="A query, such as `plate ext:csv size:>1MB`; nothing asks for everything.")
]
MAX_BY = 100


class Highlight(BaseModel):
    """A piece of the path or the content; `ranges` are (begin, end) of the characters that match."""

    text: str
    ranges: list[tuple[int, int]]


class Result(BaseModel):
    """An object. `path` is relative to the workspace, `reference` is `owner/workspace/path`.

    `facts`: what the content says of itself, by name. `problem`: why not all of it could be read.
    """

    reference: str
    workspace: str
    owner: str
    path: str
    size: int
    modified: Instant
    node: str
    bucket: str
    key: str
    etag: str
    content_type: str | None
    facts: dict[str, str]
    tags: dict[str, str]
    problem: str | None
    highlights: list[Highlight]


class SearchAnswer(Counted):
    """A page of results; `next` is the `after` of the next one, None on the last."""

    results: list[Result]
    next: str | None


class Bucket(BaseModel):
    """`key` is an extension, type, username, `owner/workspace`, `owner/workspace/folder/` or a year; "" is no
    extension, an unknown type, or in no folder that lies as deep."""

    key: str
    count: int
    bytes: int


class Others(BaseModel):
    count: int
    bytes: int


class AggregateAnswer(Counted):
    """By facet, the largest buckets by count; `others`: what is in none of them."""

    facets: dict[str, list[Bucket]]
    others: dict[str, Others]


class FolderSum(BaseModel):
    """`path` of a folder, relative to the workspace, with its final slash."""

    path: str
    objects: int
    bytes: int


class SizesAnswer(BaseModel):
    """`partial`: the caller reads only some of it, and these are the sums of that. `incomplete` as in a search."""

    path: str
    objects: int
    bytes: int
    partial: bool
    children: list[FolderSum]
    incomplete: list[Remark]


@router.get("/search")
def search(
    call: SignedIn,
    q: Text = "",
    *,
    sort: Annotated[Sort, Query(description="Best, largest or newest first; paths from A to Z.")] = Sort.RELEVANCE,
    reverse: Annotated[bool, Query(description="The other way round.")] = False,
    limit: Annotated[int, Query(ge=0, le=MAX_PAGE, description="0: the total alone.")] = 50,
    after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
    highlight: Annotated[bool, Query(description="Show where words were found.")] = False,
) -> SearchAnswer:
    """What the caller may read and the query fits, with the exact total; page by page."""
    with _turn(call) as (session, actor, now):
        answer = searching.search(
            session,
            index=call.index,
            keyring=call.visit.context.keyring,
            actor=actor,
            text=q,
            sort=sort,
            descending=(sort is not Sort.PATH) != reverse,
            limit=limit,
            after=after,
            highlight=highlight,
            now=now,
        )
    return SearchAnswer(
        total=answer.total,
        bytes=answer.bytes,
        results=[_result(found) for found in answer.results],
        next=answer.next_after,
        notes=remarks(answer.notes),
        incomplete=remarks(answer.incomplete),
    )


@router.get("/aggregate")
def aggregate(
    call: SignedIn,
    q: Text = "",
    *,
    by: Annotated[
        str,
        StringConstraints(max_length=MAX_BY),
        Query(description="Any of ext, type, owner, workspace, folder, year, with commas between."),
    ] = "",
    top: Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many buckets of each facet.")] = 100,
    depth: Annotated[
        int,
        Query(
            ge=1,
            le=aggregating.MAX_DEPTH,
            description="How deep folders lie below the one that `in:` or `path:` names, or the workspace.",
        ),
    ] = 1,
) -> AggregateAnswer:
    """Exact numbers of objects and bytes that the query fits, in all and by facets."""
    facets = _facets(by)
    with _turn(call) as (session, actor, now):
        answer = aggregating.aggregate(
            session, index=call.index, actor=actor, text=q, by=facets, top=top, depth=depth, now=now
        )
    return AggregateAnswer(
        total=answer.total,
        bytes=answer.bytes,
        facets={facet.value: _buckets(view) for facet, view in answer.facets.items()},
        others={
            facet.value: Others(count=view.others_count, bytes=view.others_bytes)
            for facet, view in answer.facets.items()
        },
        notes=remarks(answer.notes),
        incomplete=remarks(answer.incomplete),
    )


@router.get("/workspaces/{workspace_id}/sizes")
def workspace_sizes(
    call: SignedIn,
    workspace_id: Id,
    path: Annotated[Line, Query(description="A folder or an object; nothing: all of the workspace.")] = "",
    depth: Annotated[
        int, Query(ge=0, le=sizes.MAX_DEPTH, description="How many levels of folders below are told of.")
    ] = 0,
) -> SizesAnswer:
    """Objects and bytes of a workspace, a folder or an object, as the index has summed them up."""
    with call.read() as (session, actor, now):
        answer = sizes.sizes(
            session, index=call.index, actor=actor, workspace_id=workspace_id, path=path, depth=depth, now=now
        )
    return SizesAnswer(
        path=answer.path,
        objects=answer.objects,
        bytes=answer.bytes,
        partial=answer.partial,
        children=[FolderSum.model_validate(one._asdict()) for one in answer.children],
        incomplete=remarks(answer.incomplete),
    )


@contextmanager
def _turn(call: Call) -> Iterator[Step]:
    """The transaction begins when the caller's turn has come, and sees what is so then. Raises Unavailable."""
    with call.read() as (_, actor, _):
        user_id = actor.user_id
    with call.visit.context.searches.turn(user_id), call.read() as step:
        yield step


def _result(found: FoundEntry) -> Result:
    return Result(
        reference=f"{found.owner}/{found.workspace}/{found.path}",
        workspace=found.workspace,
        owner=found.owner,
        path=found.path,
        size=found.size,
        modified=instant(found.modified),
        node=found.node,
        bucket=found.bucket,
        key=found.key,
        etag=found.etag,
        content_type=found.content_type or None,
        facts=dict(found.facts),
        tags=dict(found.tags),
        problem=found.problem or None,
        highlights=[Highlight(text=text, ranges=list(ranges)) for text, ranges in found.highlights],
    )


def _facets(by: str) -> list[By]:
    words = [word.strip() for word in by.split(",") if word.strip()]
    known = {facet.value: facet for facet in By}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise Invalid(
            f"{unknown[0]!r} is nothing to count by; there are {', '.join(known)}.", code="no_such_facet"
        )
    return list(dict.fromkeys(known[word] for word in words))


def _buckets(view: FacetView) -> list[Bucket]:
    return [Bucket(key=one.key, count=one.count, bytes=one.bytes) for one in view.buckets]
