"""Import of folders, as a stream of lines: progress while trees are walked, the report at the end."""

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.error_responses import describe
from workspacesio.api.fields import Body, Enforced, Line, Name
from workspacesio.api.import_stream import ImportRun
from workspacesio.domain.errors import Invalid, WorkspacesIOError
from workspacesio.services.imports import MAX_FOLDERS

router = APIRouter(prefix="/roots", tags=["roots"])

NDJSON = "application/x-ndjson"


class ImportRequest(Body):
    """`folders` relative to the root, or `all` directly under it; whose they shall be (default: the caller's)."""

    folders: Annotated[list[Line], Field(min_length=1, max_length=MAX_FOLDERS)] | None = None
    all: bool = False
    owner: Name | None = None
    owner_from_unix: bool = False
    name: Name | None = None
    dry_run: bool = False


class Progress(BaseModel):
    entries: int
    bytes: int


class ImportedFolder(BaseModel):
    """`created` is false for a folder that was a workspace before."""

    folder: str
    name: str
    owner: str
    objects: int
    bytes: int
    created: bool


class NotServed(BaseModel):
    """What an import leaves absent, by reason; `examples` are some of the paths."""

    reason: str
    count: int
    examples: list[str]


class RefusedFolder(BaseModel):
    folder: str
    reason: str


class ImportReport(BaseModel):
    """`refused` folders were not imported; `not_served` is what lies in those that were, and stays absent."""

    workspaces: list[ImportedFolder]
    not_served: list[NotServed]
    refused: list[RefusedFolder]
    enforced: list[Enforced]


class ImportLine(BaseModel):
    """One line: `progress`, or at the end `report` (or `error`, and nothing was imported)."""

    progress: Progress | None = None
    report: ImportReport | None = None


@router.post(
    "/{name}/import",
    response_class=StreamingResponse,
    responses={200: {"model": ImportLine, "content": {NDJSON: {}}, "description": "Lines of JSON."}},
)
def import_folders(call: SignedIn, name: Name, wanted: ImportRequest) -> StreamingResponse:
    """Turn folders into workspaces where they lie; nothing on disk is changed. All or none are made."""
    if (wanted.folders is not None) == wanted.all:
        raise Invalid("Name the folders to import, or say all.", code="invalid_request")
    if wanted.owner is not None and wanted.owner_from_unix:
        raise Invalid("Name an owner, or take the Unix owner, not both.", code="invalid_request")
    run = ImportRun(
        call,
        name,
        folders=wanted.folders,
        owner=wanted.owner,
        owner_from_unix=wanted.owner_from_unix,
        label=wanted.name,
        dry_run=wanted.dry_run,
    )
    run.prepare()
    return StreamingResponse(_lines(run), media_type=NDJSON)


def _lines(run: ImportRun) -> Iterator[str]:
    try:
        for line in run.lines():
            yield json.dumps(line) + "\n"
    except WorkspacesIOError as error:
        yield json.dumps(describe(error)) + "\n"
