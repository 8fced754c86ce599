"""What all tables stand on: identities, instants, names of constraints, and which changes carry rights."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Identity = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC; stored without zone in both databases, so that they compare alike."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("instants are aware datetimes")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


class RightsCarried(StrEnum):
    """Which changes of a table's rows are changes of rights."""

    NEVER = "never"
    UPDATED = "updated"
    ALWAYS = "always"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Instant(),
        dict[str, Any]: JSON(),
        list[int]: JSON(none_as_null=True),
        int: Identity,
    }
    carries_rights: ClassVar[RightsCarried] = RightsCarried.NEVER


def identity() -> Mapped[int]:
    """A primary key. Tables with `NEVER_REUSED` never give a number out twice."""
    return mapped_column(Identity, primary_key=True, autoincrement=True)


NEVER_REUSED = {"sqlite_autoincrement": True}
