"""One process of the service beside a real MinIO server: its use cases as callers reach them, and their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from sqlalchemy import select
from sqlalchemy.orm import Session

from servers.s3_server import S3Server
from workspacesio.database.facts import load_caller
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Group, GroupMember, Node, NodeEffect, User, Workspace
from workspacesio.domain.facts import UNNARROWED, Caller, Narrowing
from workspacesio.domain.vocabulary import CreatePolicy, Level, RootType
from workspacesio.nodes.minio.administration import Administration
from workspacesio.services.actors import Actor
from workspacesio.services.drivers import Drivers
from workspacesio.services.effect_marks import mark_group, mark_member
from workspacesio.services.keys import Keyring
from workspacesio.services.minio_credentials import IssuedThere, issue_minio_credential
from workspacesio.services.minio_nodes import add_minio_node, check_server
from workspacesio.services.node_effects import Marked, marked, minio_driver, settle_one
from workspacesio.services.roots import create_root
from workspacesio.services.sharing import revoke_share, share_folder
from workspacesio.services.workspaces import create_workspace, insert_workspace, place_workspace
from workspacesio.settings import Settings

SECRET = "the secret of a service for tests"
HOUR = timedelta(hours=1)


@dataclass
class Door:
    """A user's transactions, as a request with their token opens them."""

    service: MinioService
    username: str
    narrowing: Narrowing = UNNARROWED
    expires_at: datetime | None = None
    sign_in_id: int | None = None
    api_key_id: int | None = None

    @contextmanager
    def read(self) -> Iterator[tuple[Session, Actor, datetime]]:
        with self.service.database.read() as session:
            yield session, self._actor(session), self.service.clock()

    @contextmanager
    def write(self) -> Iterator[tuple[Session, Actor, datetime]]:
        with self.service.database.write() as session:
            yield session, self._actor(session), self.service.clock()

    def _actor(self, session: Session) -> Actor:
        user = session.scalars(select(User).where(User.username == self.username)).one()
        caller = load_caller(session, user.id, self.narrowing)
        assert caller is not None
        return Actor(caller, self.username, self.sign_in_id, self.api_key_id, self.expires_at)


@dataclass(frozen=True)
class KeysScope:
    node: Node
    caller: Caller


@dataclass
class MinioService:
    """An `EffectsContext`. Time is real, moved by `ahead`."""

    database: Database
    folder: Path
    ahead: timedelta = timedelta()
    secret: str = SECRET
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings(state_dir=self.folder)
        self.keyring = Keyring(self.secret)
        self.drivers = Drivers(self.database, self.settings, self.keyring)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def door(self, username: str, **options: Any) -> Door:
        return Door(self, username, **options)

    def do(self, by: str, use_case: Callable[..., Any], /, **arguments: Any) -> tuple[Any, Marked]:
        """A use case in its transaction, and what it marked."""
        with self.door(by).write() as (session, actor, now):
            found = use_case(session, actor=actor, **arguments, now=now)
            return found, marked(session)

    def enforced(self, by: str, use_case: Callable[..., Any], /, **arguments: Any) -> Any:
        """The same, told to the server at once."""
        found, changed = self.do(by, use_case, **arguments)
        assert settle_one(self, changed) == "enforced"
        return found

    # --- people

    def user(self, username: str, *, administrator: bool = False) -> int:
        with self.database.write() as session:
            user = User(
                email=f"{username}@example.org",
                username=username,
                administrator=administrator,
                enabled=True,
                created_at=self.clock(),
            )
            session.add(user)
            session.flush()
            return user.id

    def group(self, name: str, *members: int) -> int:
        with self.database.write() as session:
            group = Group(name=name, created_at=self.clock())
            session.add(group)
            session.flush()
            session.add_all(GroupMember(group_id=group.id, user_id=member) for member in members)
            return group.id

    def join(self, group_id: int, user_id: int) -> Marked:
        with self.database.write() as session:
            session.add(GroupMember(group_id=group_id, user_id=user_id))
            session.flush()
            mark_member(session, user_id=user_id)
            return marked(session)

    def leave(self, group_id: int, user_id: int) -> Marked:
        with self.database.write() as session:
            session.delete(session.get_one(GroupMember, (group_id, user_id)))
            session.flush()
            mark_member(session, user_id=user_id)
            return marked(session)

    def dissolve(self, group_id: int) -> Marked:
        with self.database.write() as session:
            mark_group(session, group_id=group_id)
            session.delete(session.get_one(Group, group_id))
            session.flush()
            return marked(session)

    # --- places

    def add_node(self, server: S3Server, *, by: str = "root", name: str = "there", read_only: bool = False) -> int:
        checked = check_server(
            self,
            endpoint=server.endpoint,
            public_endpoint=None,
            region=None,
            access_key=server.access_key,
            secret=server.secret_key,
            by_administrator=True,
        )
        with self.door(by).write() as (session, actor, now):
            return add_minio_node(
                session,
                actor=actor,
                keyring=self.keyring,
                name=name,
                server=checked,
                read_only=read_only,
                now=now,
            ).id

    def root(self, bucket: str, prefix: str, kind: RootType, name: str, *, node: str = "there") -> str:
        self.do(
            "root",
            create_root,
            node=node,
            bucket=bucket,
            prefix=prefix,
            root_type=kind,
            name=name,
            create=CreatePolicy.EVERYONE,
        )
        return name

    def workspace(self, owner: str, name: str, root: str = "private") -> Workspace:
        arguments = {"name": name, "public": False, "root": root}
        with self.door(owner).read() as (session, actor, now):
            place = place_workspace(session, actor=actor, **arguments, now=now)
        workspace = self.enforced(owner, create_workspace, **arguments, place=place)
        assert isinstance(workspace, Workspace)
        return workspace

    def imported(self, owner_id: int, root: str, prefix: str, name: str) -> Workspace:
        """A workspace wherever it lies, as import makes it."""
        from workspacesio.database.tables import Root

        with self.database.write() as session:
            row = session.scalars(select(Root).where(Root.name == root)).one()
            made = insert_workspace(
                session, name=name, owner_id=owner_id, root=row, prefix=prefix, imported=True, now=self.clock()
            )
            changed = marked(session)
        assert settle_one(self, changed) == "enforced"
        return made

    def share(self, owner: str, workspace: Workspace, subject: str, level: str = "read", **options: Any) -> Marked:
        arguments = {"folder": "", "expires_at": None, **options}
        return self.do(
            owner,
            share_folder,
            workspace_id=workspace.id,
            subject=subject,
            level=Level.from_word(level),
            **arguments,
        )[1]

    def unshare(self, owner: str, workspace: Workspace, subject: str, folder: str = "") -> Marked:
        return self.do(owner, revoke_share, workspace_id=workspace.id, folder=folder, subject=subject)[1]

    # --- keys

    def issue(
        self,
        username: str,
        *,
        node: str = "there",
        workspaces: frozenset[int] | None = None,
        read_only: bool = False,
        duration: timedelta = HOUR,
        door: Door | None = None,
    ) -> IssuedThere:
        def scope_of(session: Session, actor: Actor, now: datetime) -> KeysScope:
            row = session.scalars(select(Node).where(Node.name == node)).one()
            narrowing = actor.caller.narrowing.within(Narrowing(workspaces, read_only))
            caller = Caller(actor.user_id, True, actor.caller.administrator, actor.caller.groups, narrowing)
            return KeysScope(row, caller)

        return issue_minio_credential(self, door or self.door(username), scope_of=scope_of, duration=duration)

    def keys(self, username: str, **options: Any) -> Hand:
        return Hand(self.issue(username, **options))

    # --- the other side

    def administration(self, node_id: int = 1) -> Administration:
        return minio_driver(self, node_id).administration

    def prefix(self, node_id: int = 1) -> str:
        return minio_driver(self, node_id).name_prefix

    def effects(self) -> dict[tuple[str, int], NodeEffect]:
        with self.database.read() as session:
            rows = session.scalars(select(NodeEffect).order_by(NodeEffect.id)).all()
        return {(row.subject_kind, row.subject_id): row for row in rows}


class Hand:
    """What a holder of keys does, straight at the server."""

    def __init__(self, there: IssuedThere) -> None:
        self.there = there
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=there.endpoint,
            region_name=there.region,
            aws_access_key_id=there.issued.access_key_id,
            aws_secret_access_key=there.issued.secret_access_key,
            aws_session_token=there.issued.session_token,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    def reads(self, workspace: Workspace, path: str = "x") -> bool:
        return _allowed(lambda: self.s3.get_object(Bucket=workspace.bucket, Key=workspace.prefix + path))

    def lists(self, workspace: Workspace, folder: str = "") -> bool:
        return _allowed(lambda: self.s3.list_objects_v2(Bucket=workspace.bucket, Prefix=workspace.prefix + folder))

    def writes(self, workspace: Workspace, path: str = "x") -> bool:
        return _allowed(
            lambda: self.s3.put_object(Bucket=workspace.bucket, Key=workspace.prefix + path, Body=b"x")
        )

    def rights(self, workspace: Workspace, path: str = "x") -> str:
        """`rlw`: reads, lists (the folder of the path), writes."""
        folder = path.rpartition("/")[0]
        letters = (
            ("w", self.writes(workspace, path)),
            ("r", self.reads(workspace, path)),
            ("l", self.lists(workspace, f"{folder}/" if folder else "")),
        )
        return "".join(sorted(letter for letter, has in letters if has))


def _allowed(request: Callable[[], object]) -> bool:
    """Whether the server did it. Raises what is no refusal."""
    try:
        request()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
            raise
        return False
    return True


def service_with_node(database: Database, server: S3Server, folder: Path) -> MinioService:
    """Users root, ada, bob and eve; a node `there` with a bucket, a private and a public root, one of old data."""
    service = MinioService(database, folder)
    service.user("root", administrator=True)
    for username in ("ada", "bob", "eve"):
        service.user(username)
    service.add_node(server)
    bucket = f"bucket-{service.prefix()[4:8]}"
    server.boto3_client().create_bucket(Bucket=bucket)
    service.root(bucket, "private/", RootType.PRIVATE, "private")
    service.root(bucket, "public/", RootType.PUBLIC, "public")
    service.root(bucket, "old/", RootType.UNMANAGED_PRIVATE, "old")
    return service


def put(server: S3Server, workspace: Workspace, *paths: str) -> None:
    client = server.boto3_client()
    for path in paths:
        client.put_object(Bucket=workspace.bucket, Key=workspace.prefix + path, Body=b"there")
