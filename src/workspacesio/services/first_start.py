"""What `wio serve DIR` makes on a fresh state: a node over DIR and its roots. No file is made or changed."""

import os
import re
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Node, Root
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.names import check_bucket, check_prefix
from workspacesio.domain.vocabulary import CreatePolicy, FolderLayout, RootType
from workspacesio.services.audit import record
from workspacesio.services.node_folders import CheckedFolder, check_node_folder
from workspacesio.services.nodes import insert_folder_node
from workspacesio.services.roots import insert_root

NODE = "local"
EXISTING = "existing"


def make_local_node(
    session: Session,
    *,
    path: Path,
    state_dir: Path,
    bucket: str | None = None,
    buckets: bool = False,
    managed: str | None = None,
    serve_owner_only: bool = False,
    cross_filesystems: bool = False,
    now: datetime,
) -> bool:
    """Make node `local` over `path` with its roots; False when it is there already.

    One bucket, with roots `private` and `public` at prefixes that are free (under `managed`, if given) and
    `existing` over what is there; or with `buckets` each sub-folder a bucket with a root of its name.
    Administrators operate the node. Raises Conflict when `local` is another folder, Invalid for a folder that
    can't be served.
    """
    folder = check_node_folder(os.path.abspath(path), allowed=[str(path)], state_dir=state_dir)
    there = session.scalar(select(Node).where(Node.name == NODE))
    if there is not None:
        if there.path != folder.path:
            raise Conflict(
                f"This service serves {there.path} as node {NODE!r} already; add another folder with "
                "`wio node add folder`, or give this one its own WIO_STATE_DIR.",
                code="other_folder",
            )
        _check_as_it_was_made(
            there,
            bucket=bucket,
            buckets=buckets,
            serve_owner_only=serve_owner_only,
            cross_filesystems=cross_filesystems,
        )
        return False
    layout = FolderLayout.BUCKETS if buckets else FolderLayout.BUCKET
    node = insert_folder_node(
        session,
        name=NODE,
        folder=folder,
        layout=layout,
        bucket=None if buckets else (bucket or bucket_name_from_folder(os.path.basename(folder.path))),
        read_only=False,
        serve_owner_only=serve_owner_only,
        cross_filesystems=cross_filesystems,
        operator_id=None,
        now=now,
    )
    if buckets:
        _make_roots_of_buckets(session, node, folder, now)
    else:
        _make_roots(session, node, folder, managed, now)
    record(session, actor=None, verb="node.add", target=NODE, now=now, details={"path": node.path})
    return True


def roots_to_import(session: Session) -> list[str]:
    """The unmanaged roots, by age: where folders may become workspaces."""
    types = [one.value for one in RootType if not one.is_managed]
    return list(session.scalars(select(Root.name).where(Root.type.in_(types)).order_by(Root.id)))


def _check_as_it_was_made(
    node: Node, *, bucket: str | None, buckets: bool, serve_owner_only: bool, cross_filesystems: bool
) -> None:
    """Raises Conflict for an option that would have no effect: what a node is was said when it was made."""
    for option, differs in (
        (f"--bucket {bucket}", bucket is not None and bucket != node.bucket),
        ("--buckets", buckets and node.layout != FolderLayout.BUCKETS.value),
        ("--serve-owner-only", serve_owner_only and not node.serve_owner_only),
        ("--cross-filesystems", cross_filesystems and not node.cross_filesystems),
    ):
        if differs:
            changed = option in ("--serve-owner-only", "--cross-filesystems")
            otherwise = f"type `wio node set {NODE} {option} on`" if changed else "give another WIO_STATE_DIR"
            raise Conflict(
                f"Node {NODE!r} was made without {option}; leave that out here, or {otherwise}.",
                code="other_settings",
            )


def bucket_name_from_folder(folder: str) -> str:
    """The nearest bucket name: lower case, other characters become '-', 3 to 63 characters."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.lower()).strip("-")[:63].strip("-")
    if len(name) < 3:
        name = f"data-{name}" if name else "data"
    return check_bucket(name)


def _make_roots(session: Session, node: Node, folder: CheckedFolder, managed: str | None, now: datetime) -> None:
    assert node.bucket is not None
    base = check_prefix(managed or "")
    for root_type in (RootType.PRIVATE, RootType.PUBLIC):
        insert_root(
            session,
            node=node,
            bucket=node.bucket,
            prefix=_free_prefix(folder.path, base, root_type.value),
            root_type=root_type,
            name=root_type.value,
            create=CreatePolicy.EVERYONE,
            now=now,
        )
    insert_root(
        session,
        node=node,
        bucket=node.bucket,
        prefix="",
        root_type=RootType.UNMANAGED_PRIVATE,
        name=EXISTING,
        create=CreatePolicy.NOBODY,
        now=now,
    )


def _make_roots_of_buckets(session: Session, node: Node, folder: CheckedFolder, now: datetime) -> None:
    """A root for each sub-folder whose name can be a bucket's; the others aren't served."""
    with os.scandir(folder.path) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    taken = set(session.scalars(select(Root.name)))
    for name in names:
        try:
            check_bucket(name)
        except Invalid:
            continue
        insert_root(
            session,
            node=node,
            bucket=name,
            prefix="",
            root_type=RootType.UNMANAGED_PRIVATE,
            name=name if name not in taken else f"{node.name}-{name}",
            create=CreatePolicy.NOBODY,
            now=now,
        )


def _free_prefix(path: str, base: str, name: str) -> str:
    """`private/`, else `wio-private/`, else `wio-private-2/` and so on: the first that isn't there on disk."""
    candidate, number = name, 1
    while os.path.lexists(os.path.join(path, base + candidate)):
        candidate = f"wio-{name}" if number == 1 else f"wio-{name}-{number}"
        number += 1
    return f"{base}{candidate}/"
