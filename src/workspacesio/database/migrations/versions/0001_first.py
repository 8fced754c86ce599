"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor_id", _IDENTITY, nullable=True),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("workspace_id", _IDENTITY, nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_actor_id"), "audit", ["actor_id"], unique=False)
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_workspace_id"), "audit", ["workspace_id"], unique=False)
    op.create_table(
        "groups",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_groups_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "object_events",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("workspace_id", _IDENTITY, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_object_events_at"), "object_events", ["at"], unique=False)
    op.create_index(
        "ix_object_events_node_id_bucket_id", "object_events", ["node_id", "bucket", "id"], unique=False
    )
    op.create_table(
        "rights",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights")),
    )
    op.create_table(
        "service_settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_settings")),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sign_in_attempts_subject_at", "sign_in_attempts", ["subject", "at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("username", sa.String(length=63), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("narrowed_to", sa.JSON(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_table(
        "group_members",
        sa.Column("group_id", _IDENTITY, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.Column("manager", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_group_members_group_id_groups"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_group_members_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_user_id"), "group_members", ["user_id"], unique=False)
    op.create_table(
        "nodes",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("operator_id", _IDENTITY, nullable=True),
        sa.Column("run_by_service", sa.Boolean(), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("layout", sa.String(length=16), nullable=True),
        sa.Column("bucket", sa.String(length=63), nullable=True),
        sa.Column("serve_owner_only", sa.Boolean(), nullable=False),
        sa.Column("cross_filesystems", sa.Boolean(), nullable=False),
        sa.Column("filesystem_identity", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["users.id"], name=op.f("fk_nodes_operator_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("name", name=op.f("uq_nodes_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "one_time_tokens",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("user_id", _IDENTITY, nullable=True),
        sa.Column("made_by", _IDENTITY, nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["made_by"], ["users.id"], name=op.f("fk_one_time_tokens_made_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_one_time_tokens_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_one_time_tokens_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_ins_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sign_ins_user_id"), "sign_ins", ["user_id"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("access_key_id", sa.String(length=32), nullable=False),
        sa.Column("narrowed_to", sa.JSON(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("issued_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.Column("sign_in_id", _IDENTITY, nullable=True),
        sa.Column("api_key_id", _IDENTITY, nullable=True),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_credentials_node_id_nodes"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_credentials_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("access_key_id", name=op.f("uq_credentials_access_key_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_credentials_api_key_id"), "credentials", ["api_key_id"], unique=False)
    op.create_index(op.f("ix_credentials_sign_in_id"), "credentials", ["sign_in_id"], unique=False)
    op.create_index("ix_credentials_user_id_revoked_at", "credentials", ["user_id", "revoked_at"], unique=False)
    op.create_table(
        "roots",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("create_policy", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_roots_node_id_nodes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roots")),
        sa.UniqueConstraint("name", name=op.f("uq_roots_name")),
        sa.UniqueConstraint("node_id", "bucket", "prefix", name=op.f("uq_roots_node_id_bucket_prefix")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "workspace_removals",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("workspace_id", _IDENTITY, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("removed_by", _IDENTITY, nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_workspace_removals_node_id_nodes")),
        sa.ForeignKeyConstraint(["removed_by"], ["users.id"], name=op.f("fk_workspace_removals_removed_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace_removals")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "root_creators",
        sa.Column("root_id", _IDENTITY, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.ForeignKeyConstraint(
            ["root_id"], ["roots.id"], name=op.f("fk_root_creators_root_id_roots"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_root_creators_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", "user_id", name=op.f("pk_root_creators")),
    )
    op.create_table(
        "root_managers",
        sa.Column("root_id", _IDENTITY, nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=False),
        sa.ForeignKeyConstraint(
            ["root_id"], ["roots.id"], name=op.f("fk_root_managers_root_id_roots"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_root_managers_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", "user_id", name=op.f("pk_root_managers")),
    )
    op.create_index(op.f("ix_root_managers_user_id"), "root_managers", ["user_id"], unique=False)
    op.create_table(
        "workspaces",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("owner_id", _IDENTITY, nullable=False),
        sa.Column("root_id", _IDENTITY, nullable=False),
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_workspaces_node_id_nodes")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_workspaces_owner_id_users")),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name=op.f("fk_workspaces_root_id_roots")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("node_id", "bucket", "prefix", name=op.f("uq_workspaces_node_id_bucket_prefix")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_workspaces_owner_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_workspaces_name", "workspaces", ["name"], unique=False)
    op.create_index(op.f("ix_workspaces_root_id"), "workspaces", ["root_id"], unique=False)
    op.create_table(
        "shares",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("workspace_id", _IDENTITY, nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", _IDENTITY, nullable=True),
        sa.Column("group_id", _IDENTITY, nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("given_by", _IDENTITY, nullable=True),
        sa.Column("rests_on", _IDENTITY, nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "(subject_kind = 'user' AND user_id IS NOT NULL AND group_id IS NULL)"
            " OR (subject_kind = 'group' AND group_id IS NOT NULL AND user_id IS NULL)"
            " OR (subject_kind = 'everyone' AND user_id IS NULL AND group_id IS NULL)",
            name=op.f("ck_shares_subject"),
        ),
        sa.CheckConstraint("folder = '' OR substr(folder, length(folder)) = '/'", name=op.f("ck_shares_folder")),
        sa.CheckConstraint("level BETWEEN 1 AND 3", name=op.f("ck_shares_level")),
        sa.ForeignKeyConstraint(
            ["given_by"], ["users.id"], name=op.f("fk_shares_given_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_shares_group_id_groups"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["rests_on"], ["shares.id"], name=op.f("fk_shares_rests_on_shares"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_shares_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_shares_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_shares_group_id"), "shares", ["group_id"], unique=False)
    op.create_index(op.f("ix_shares_rests_on"), "shares", ["rests_on"], unique=False)
    op.create_index(op.f("ix_shares_user_id"), "shares", ["user_id"], unique=False)
    op.create_index(op.f("ix_shares_workspace_id"), "shares", ["workspace_id"], unique=False)
    op.create_index(
        "uq_shares_everyone",
        "shares",
        ["workspace_id", "folder"],
        unique=True,
        sqlite_where=sa.text("subject_kind = 'everyone'"),
        postgresql_where=sa.text("subject_kind = 'everyone'"),
    )
    op.create_index(
        "uq_shares_group",
        "shares",
        ["workspace_id", "folder", "group_id"],
        unique=True,
        sqlite_where=sa.text("subject_kind = 'group'"),
        postgresql_where=sa.text("subject_kind = 'group'"),
    )
    op.create_index(
        "uq_shares_user",
        "shares",
        ["workspace_id", "folder", "user_id"],
        unique=True,
        sqlite_where=sa.text("subject_kind = 'user'"),
        postgresql_where=sa.text("subject_kind = 'user'"),
    )
    op.create_table(
        "usage",
        sa.Column("workspace_id", _IDENTITY, nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("objects", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("exact", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_usage_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_usage")),
    )
