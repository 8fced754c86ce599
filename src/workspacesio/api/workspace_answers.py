"""A workspace in an answer."""

from typing import Literal, Self

from pydantic import BaseModel

from workspacesio.api.fields import Instant, LevelWord, RootTypeWord
from workspacesio.services.workspace_views import WorkspaceView


class SharedFolder(BaseModel):
    folder: str
    level: LevelWord


class WorkspaceAnswer(BaseModel):
    """`level` is held on the whole workspace; None: on the `folders` alone, or only as a manager.

    `objects` and `bytes` are None where the caller sees only folders of it, as is `root` unless they see the root.
    """

    id: int
    name: str
    owner: str
    reference: str
    root: str | None
    root_type: RootTypeWord
    node: str
    bucket: str
    prefix: str
    level: LevelWord | Literal["owner"] | None
    folders: list[SharedFolder]
    objects: int | None
    bytes: int | None
    created_at: Instant
    imported: bool

    @classmethod
    def of(cls, view: WorkspaceView) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(view, name) for name in cls.model_fields if name != "folders"},
                "folders": [{"folder": folder, "level": level.word} for folder, level in view.folders],
            }
        )
