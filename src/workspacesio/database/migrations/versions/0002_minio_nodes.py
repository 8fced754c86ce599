"""Nodes on MinIO servers, and what these must be told."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("nodes", sa.Column("endpoint", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("public_endpoint", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("region", sa.String(length=63), nullable=True))
    op.add_column("nodes", sa.Column("access_key", sa.String(length=128), nullable=True))
    op.add_column("nodes", sa.Column("sealed_secret", sa.LargeBinary(), nullable=True))
    op.add_column("nodes", sa.Column("name_prefix", sa.String(length=16), nullable=True))
    op.add_column("nodes", sa.Column("leaving", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "node_effects",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject_id", _IDENTITY, nullable=False),
        sa.Column("desired_generation", sa.BigInteger(), nullable=False),
        sa.Column("applied_generation", sa.BigInteger(), nullable=False),
        sa.Column("identity", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("applied_documents", sa.Integer(), nullable=False),
        sa.Column("applied_digest", sa.String(length=64), nullable=True),
        sa.Column("lease_holder", sa.String(length=32), nullable=True),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("attempted_at", sa.DateTime(), nullable=True),
        sa.Column("refresh_at", sa.DateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_node_effects_node_id_nodes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_effects")),
        sa.UniqueConstraint(
            "node_id",
            "subject_kind",
            "subject_id",
            name=op.f("uq_node_effects_node_id_subject_kind_subject_id"),
        ),
        sqlite_autoincrement=True,
    )
