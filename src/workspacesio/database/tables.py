"""The tables. Identities are never reused (SQLite AUTOINCREMENT, PostgreSQL sequences).

A table whose rows are facts of a decision, or whose removal takes such rows with it, is marked `carries_rights`:
every change of it raises `rights.generation` in the same transaction (`sessions.py` sees to it, whoever makes the
change). For credentials only a change counts: a new row takes nothing away that anybody could have remembered.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from workspacesio.database.base import NEVER_REUSED, Base, RightsCarried, identity


class Rights(Base):
    """One row. `generation` rises with every change of rights, in the transaction of the change."""

    __tablename__ = "rights"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger)


class ServiceSetting(Base):
    """Settings that administrators change at run time, such as `registration` (open, invitation, closed)."""

    __tablename__ = "service_settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class User(Base):
    __tablename__ = "users"
    __table_args__ = (NEVER_REUSED,)
    carries_rights = RightsCarried.ALWAYS

    id: Mapped[int] = identity()
    email: Mapped[str] = mapped_column(String(320), unique=True)
    username: Mapped[str] = mapped_column(String(63), unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(default=True)
    administrator: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class Group(Base):
    """Its members and the shares given to it go with it."""

    __tablename__ = "groups"
    __table_args__ = (NEVER_REUSED,)
    carries_rights = RightsCarried.ALWAYS

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(63), unique=True)
    created_at: Mapped[datetime]


class GroupMember(Base):
    __tablename__ = "group_members"
    carries_rights = RightsCarried.ALWAYS

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    manager: Mapped[bool] = mapped_column(default=False)


class SignIn(Base):
    """A session: what `wio login` and the web client hold. Only a hash of the token is stored."""

    __tablename__ = "sign_ins"
    __table_args__ = (NEVER_REUSED,)
    carries_rights = RightsCarried.UPDATED

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """A long-lived key of a user, which may be narrowed. Only a hash is stored."""

    __tablename__ = "api_keys"
    __table_args__ = (NEVER_REUSED,)
    carries_rights = RightsCarried.UPDATED

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(63))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    narrowed_to: Mapped[list[int] | None]
    read_only: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class OneTimeToken(Base):
    """A setup token, an invitation or a password reset. `purpose`: `setup`, `invite` or `reset`."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = identity()
    purpose: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    email: Mapped[str | None] = mapped_column(String(320))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    made_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """A failed sign-in, for the limit in rate. `subject` is a hash of the address or of the account's name."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index("ix_sign_in_attempts_subject_at", "subject", "at"), NEVER_REUSED)

    id: Mapped[int] = identity()
    subject: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime]


class Node(Base):
    """`path` to `filesystem_identity` describe folder nodes, `endpoint` and what follows MinIO servers.

    `public_endpoint` is the address for users, where it isn't `endpoint`. `sealed_secret` is the secret of
    `access_key`, encrypted (`services/node_secrets.py`). `name_prefix` begins the name of every user, group and
    policy that is made on the server, `deployment_id` is what the server calls itself. While `leaving`, nothing is
    granted there any more. `sts_endpoint` to `may_deny_sessions` describe AWS nodes: the role whose sessions are
    issued, and whether its policy may be written, to refuse sessions from before `sessions_denied_before`.
    """

    __tablename__ = "nodes"
    __table_args__ = (NEVER_REUSED,)
    carries_rights = RightsCarried.ALWAYS

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(63), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    run_by_service: Mapped[bool] = mapped_column(default=False)
    read_only: Mapped[bool] = mapped_column(default=False)
    path: Mapped[str | None] = mapped_column(Text)
    layout: Mapped[str | None] = mapped_column(String(16))
    bucket: Mapped[str | None] = mapped_column(String(63))
    serve_owner_only: Mapped[bool] = mapped_column(default=False)
    cross_filesystems: Mapped[bool] = mapped_column(default=False)
    filesystem_identity: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    endpoint: Mapped[str | None] = mapped_column(Text)
    public_endpoint: Mapped[str | None] = mapped_column(Text)
    region: Mapped[str | None] = mapped_column(String(63))
    access_key: Mapped[str | None] = mapped_column(String(128))
    sealed_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    name_prefix: Mapped[str | None] = mapped_column(String(16))
    leaving: Mapped[bool] = mapped_column(server_default=false(), default=False)
    sts_endpoint: Mapped[str | None] = mapped_column(Text)
    role_arn: Mapped[str | None] = mapped_column(Text)
    external_id: Mapped[str | None] = mapped_column(Text)
    may_deny_sessions: Mapped[bool] = mapped_column(server_default=false(), default=False)
    sessions_denied_before: Mapped[datetime | None]
    deployment_id: Mapped[str | None] = mapped_column(String(64))


class Root(Base):
    __tablename__ = "roots"
    __table_args__ = (UniqueConstraint("node_id", "bucket", "prefix"), NEVER_REUSED)
    carries_rights = RightsCarried.ALWAYS

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(63), unique=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"))
    bucket: Mapped[str] = mapped_column(String(63))
    prefix: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(24))
    create_policy: Mapped[str] = mapped_column(String(16), default="everyone")
    created_at: Mapped[datetime]


class RootManager(Base):
    __tablename__ = "root_managers"
    carries_rights = RightsCarried.ALWAYS

    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class RootCreator(Base):
    """Who may create in a root whose `create_policy` is `users`."""

    __tablename__ = "root_creators"
    carries_rights = RightsCarried.ALWAYS

    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)


class Workspace(Base):
    """`prefix` is whole, from the bucket's root. `node_id`, `bucket` repeat the root's, for look-ups by key."""

    __tablename__ = "workspaces"
    __table_args__ = (
        UniqueConstraint("node_id", "bucket", "prefix"),
        UniqueConstraint("owner_id", "name"),
        Index("ix_workspaces_name", "name"),
        NEVER_REUSED,
    )
    carries_rights = RightsCarried.ALWAYS

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(128))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id"), index=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"))
    bucket: Mapped[str] = mapped_column(String(63))
    prefix: Mapped[str] = mapped_column(Text)
    imported: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class WorkspaceRemoval(Base):
    """A workspace whose rights are gone and whose objects are being deleted. Nothing is made over its prefix."""

    __tablename__ = "workspace_removals"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = identity()
    workspace_id: Mapped[int]
    reference: Mapped[str] = mapped_column(Text)
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"))
    bucket: Mapped[str] = mapped_column(String(63))
    prefix: Mapped[str] = mapped_column(Text)
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]


class Share(Base):
    """A workspace, or a folder in it, given to a subject at a level.

    `rests_on` is the share at `own` by whose right this one was given; it goes when that one goes.
    """

    __tablename__ = "shares"
    __table_args__ = (
        CheckConstraint(
            "(subject_kind = 'user' AND user_id IS NOT NULL AND group_id IS NULL)"
            " OR (subject_kind = 'group' AND group_id IS NOT NULL AND user_id IS NULL)"
            " OR (subject_kind = 'everyone' AND user_id IS NULL AND group_id IS NULL)",
            name="subject",
        ),
        CheckConstraint("level BETWEEN 1 AND 3", name="level"),
        CheckConstraint("folder = '' OR substr(folder, length(folder)) = '/'", name="folder"),
        Index(
            "uq_shares_user",
            "workspace_id",
            "folder",
            "user_id",
            unique=True,
            sqlite_where=text("subject_kind = 'user'"),
            postgresql_where=text("subject_kind = 'user'"),
        ),
        Index(
            "uq_shares_group",
            "workspace_id",
            "folder",
            "group_id",
            unique=True,
            sqlite_where=text("subject_kind = 'group'"),
            postgresql_where=text("subject_kind = 'group'"),
        ),
        Index(
            "uq_shares_everyone",
            "workspace_id",
            "folder",
            unique=True,
            sqlite_where=text("subject_kind = 'everyone'"),
            postgresql_where=text("subject_kind = 'everyone'"),
        ),
        NEVER_REUSED,
    )
    carries_rights = RightsCarried.ALWAYS

    id: Mapped[int] = identity()
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    folder: Mapped[str] = mapped_column(Text, default="")
    subject_kind: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    level: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[datetime | None]
    given_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    rests_on: Mapped[int | None] = mapped_column(ForeignKey("shares.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]


class Credential(Base):
    """One issuance of S3 keys. No secret is stored: secrets are derived, tokens sealed.

    `sign_in_id` and `api_key_id` say with what it was issued, so that it ends with it.
    """

    __tablename__ = "credentials"
    __table_args__ = (
        Index("ix_credentials_user_id_revoked_at", "user_id", "revoked_at"),
        Index("ix_credentials_node_id_expires_at", "node_id", "expires_at"),
        NEVER_REUSED,
    )
    carries_rights = RightsCarried.UPDATED

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id", ondelete="CASCADE"))
    access_key_id: Mapped[str] = mapped_column(String(32), unique=True)
    narrowed_to: Mapped[list[int] | None]
    read_only: Mapped[bool] = mapped_column(default=False)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    sign_in_id: Mapped[int | None] = mapped_column(index=True)
    api_key_id: Mapped[int | None] = mapped_column(index=True)


class NodeEffect(Base):
    """What a foreign server must be told of the rights of one subject, and how far it was told.

    `subject_id` is the user's or group's number, 0 for everyone. The change of rights raises
    `desired_generation` in its own transaction; what was written and read back is `applied_generation`. Whoever
    holds the lease writes. `identity` numbers the server's users that were made for a user: with each new one
    all keys of the one before are dead for good. `active`: there shall be such a user now.
    `applied_documents` is how many policies may be on the server, `applied_digest` stands for what was read back,
    so that a later difference is known to be somebody else's. From `refresh_at` on it is to be told again, as
    policies tell only so many expiries apart. `secret_key_id` names the secret of the service from which the
    server's user has its own. `problem`: why the last attempt failed.
    """

    __tablename__ = "node_effects"
    __table_args__ = (UniqueConstraint("node_id", "subject_kind", "subject_id"), NEVER_REUSED)

    id: Mapped[int] = identity()
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id", ondelete="CASCADE"))
    subject_kind: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[int]
    desired_generation: Mapped[int] = mapped_column(BigInteger)
    applied_generation: Mapped[int] = mapped_column(BigInteger)
    identity: Mapped[int] = mapped_column(Integer)
    active: Mapped[bool]
    applied_documents: Mapped[int] = mapped_column(Integer)
    applied_digest: Mapped[str | None] = mapped_column(String(64))
    lease_holder: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None]
    attempted_at: Mapped[datetime | None]
    refresh_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)
    secret_key_id: Mapped[bytes | None] = mapped_column(LargeBinary(4))


class AuditRecord(Base):
    """Who did what to what. Ids and names are copied, so that a record outlives what it speaks of."""

    __tablename__ = "audit"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = identity()
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[int | None] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(320))
    verb: Mapped[str] = mapped_column(String(64))
    workspace_id: Mapped[int | None] = mapped_column(index=True)
    target: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]]
