"""Crawls, and what of each root is indexed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "root_indexing",
        sa.Column("root_id", _IDENTITY, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("exclusions", sa.JSON(), nullable=False),
        sa.Column("crawl_every_seconds", sa.Integer(), nullable=True),
        sa.Column("cross_filesystems", sa.Boolean(), nullable=False),
        sa.Column("content_allowed_bytes", sa.BigInteger(), nullable=True),
        sa.Column("content_read_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["root_id"], ["roots.id"], name=op.f("fk_root_indexing_root_id_roots"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", name=op.f("pk_root_indexing")),
    )
    op.create_table(
        "crawls",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("root_id", _IDENTITY, nullable=False),
        sa.Column("workspace_id", _IDENTITY, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("requested_by", _IDENTITY, nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("gentle", sa.Boolean(), nullable=False),
        sa.Column("cross_filesystems", sa.Boolean(), nullable=False),
        sa.Column("lease_holder", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("position", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("expected_entries", sa.BigInteger(), nullable=True),
        sa.Column("entries_per_second", sa.Double(), nullable=True),
        sa.Column("seconds_left", sa.Double(), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["root_id"], ["roots.id"], name=op.f("fk_crawls_root_id_roots"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_crawls_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["users.id"], name=op.f("fk_crawls_requested_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crawls")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_crawls_root_id_id", "crawls", ["root_id", "id"])
    op.create_index(op.f("ix_crawls_state"), "crawls", ["state"])
    op.create_index(op.f("ix_crawls_workspace_id"), "crawls", ["workspace_id"])
    op.create_index(
        "uq_crawls_held",
        "crawls",
        ["root_id"],
        unique=True,
        sqlite_where=sa.text("lease_holder IS NOT NULL"),
        postgresql_where=sa.text("lease_holder IS NOT NULL"),
    )
