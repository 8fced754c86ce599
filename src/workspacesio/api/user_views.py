"""A user in an answer."""

from typing import Self

from pydantic import BaseModel
from sqlalchemy.orm import Session

from workspacesio.api.fields import Instant
from workspacesio.database.tables import User
from workspacesio.services.users import group_names


class UserView(BaseModel):
    id: int
    email: str
    username: str
    administrator: bool
    enabled: bool
    groups: list[str]
    created_at: Instant

    @classmethod
    def of(cls, user: User, groups: list[str]) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            username=user.username,
            administrator=user.administrator,
            enabled=user.enabled,
            groups=groups,
            created_at=user.created_at,
        )


def view_user(session: Session, user: User) -> UserView:
    return UserView.of(user, group_names(session, user_id=user.id))
