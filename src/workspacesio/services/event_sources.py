"""How the server of a node is brought to tell what happens on it: by hand, or by the node's own key.

Everything that asks the server happens outside of transactions. `open_write` gives (session, actor, now).
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.journal_tables import EventSource
from workspacesio.database.tables import Node, Root
from workspacesio.domain.errors import Conflict, Invalid, NotFound, Unavailable
from workspacesio.domain.vocabulary import Action, NodeKind
from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.nodes.minio.connection import NotPermitted, RequestRefused
from workspacesio.nodes.minio.event_target import CONFIGURATION_ACTIONS, EventTarget, TargetName
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_node
from workspacesio.services.event_tokens import event_token
from workspacesio.services.node_effects import EffectsContext, minio_driver

PATH = "/api/v1/events/minio/"

NOT_CONFIGURABLE = (
    "The node's key may not configure its server; somebody who may types the commands that "
    "`wio node events NODE` prints."
)

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:/[A-Za-z0-9._~/-]*)?\Z")
_QUEUE_DIR = re.compile(r"/[A-Za-z0-9._/-]{1,500}\Z")

OpenRead = Callable[[], AbstractContextManager[tuple[Session, Actor, datetime]]]
OpenWrite = OpenRead


@dataclass(frozen=True, slots=True)
class ToldBucket:
    """`told`: the server tells what happens in it."""

    bucket: str
    told: bool


@dataclass(frozen=True, slots=True)
class SourceState:
    """`known`: a token was made. `live`: the server has read its setting. `problem`: why the rest isn't known.

    `arn` is what buckets name, as the server spells it; with `problem` its region is missing.
    """

    node: str
    arn: str
    known: bool
    applied: bool
    heard_at: datetime | None
    live: bool
    buckets: tuple[ToldBucket, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class SourceSetting:
    """What the server is to be given: one line of its configuration."""

    endpoint: str
    setting: str = field(repr=False)
    restart_needed: bool
    state: SourceState


@dataclass(frozen=True, slots=True)
class _Found:
    node_id: int
    name: str
    target: TargetName
    configurable: bool
    buckets: tuple[str, ...]
    token_number: int
    applied: bool
    heard_at: datetime | None


def source_state(context: EffectsContext, open_read: OpenRead, *, name: str) -> SourceState:
    """Asks the server. Raises NotFound, Refused, Conflict."""
    with open_read() as (session, actor, now):
        found = _find(context, session, actor, name, now)
    return _state(context, found)


def make_source(
    context: EffectsContext,
    open_write: OpenWrite,
    *,
    name: str,
    address: str,
    queue_dir: str | None,
    apply: bool,
    restart: bool,
    renew: bool,
) -> SourceSetting:
    """The setting that lets the server tell; `apply` writes it there and names it in the roots' buckets.

    A server reads its setting when it starts: `restart` makes it start again. `renew` ends the token that was
    given out before. Raises as `source_state`, Invalid, and Unavailable with what the server said.
    """
    endpoint = _endpoint(address, name)
    if queue_dir is not None and not _QUEUE_DIR.match(queue_dir):
        raise Invalid(
            "The queue's folder is a whole path on the server, of letters, digits and ._-/ alone.",
            code="invalid_queue_dir",
        )
    with open_write() as (session, actor, now):
        found = _find(context, session, actor, name, now)
        if apply and not found.configurable:
            raise Conflict(NOT_CONFIGURABLE, code="node_kind")
        source = session.get(EventSource, found.node_id)
        if source is None:
            source = EventSource(node_id=found.node_id, token_number=1, applied=False)
            session.add(source)
        elif renew:
            source.token_number += 1
        if apply:
            source.applied = True  # before it is tried: what may be on the server is taken away again
        details = {"endpoint": endpoint, "apply": apply, "renewed": renew}
        record(session, actor=actor, verb="node.events", target=name, now=now, details=details)
        session.flush()
        found = _find(context, session, actor, name, now)
    token = event_token(context.keyring, found.node_id, found.token_number)
    setting = found.target.setting(endpoint, token, queue_dir)
    needed = False
    if apply:
        try:
            is_read = _apply(_target(context, found), setting, found.buckets, restart=restart)
        except NodeError as error:
            raise _refused(error, endpoint) from error
        needed = not restart and (renew or queue_dir is not None or not is_read)
    return SourceSetting(endpoint, setting, needed, _state(context, found))


def _apply(target: EventTarget, setting: str, buckets: tuple[str, ...], *, restart: bool) -> bool:
    """Whether the server has read a setting; before, it lets no bucket name the target. Raises NodeError."""
    target.write(setting)
    if restart:
        target.restart_server()
    arn = target.live_arn()
    for bucket in buckets if arn is not None else ():
        target.tell(bucket, arn or "")
    return arn is not None


def end_source(context: EffectsContext, open_write: OpenWrite, *, name: str) -> None:
    """The server's token is worth nothing any more, and what we set there is taken away.

    Raises as `source_state`, and Unavailable while the server can't be reached.
    """
    with open_write() as (session, actor, now):
        found = _find(context, session, actor, name, now)
        if found.token_number == 0:
            raise NotFound("The node's server was never told to tell of changes.", code="no_events")
    try:
        withdraw_source(context, found.node_id)
    except NodeError as error:
        raise _refused(error, None) from error
    with open_write() as (session, actor, now):
        source = session.get(EventSource, found.node_id)
        if source is not None:
            session.delete(source)
        record(session, actor=actor, verb="node.events.end", target=name, now=now, details={})


def withdraw_source(context: EffectsContext, node_id: int) -> None:
    """Take from the server what we set there, if we did. Raises NodeError, Unavailable."""
    with context.database.read() as session:
        node, source = session.get(Node, node_id), session.get(EventSource, node_id)
        if node is None or source is None or not source.applied:
            return
        found = _found(context, session, node)
    target = _target(context, found)
    for bucket in minio_driver(context, node_id).bucket_names():  # a root may have been removed since
        target.tell_no_more(bucket)
    target.remove()


def _find(context: EffectsContext, session: Session, actor: Actor, name: str, now: datetime) -> _Found:
    node = find_node(session, actor=actor, name=name, action=Action.CHANGE_NODE, now=now)
    if node.kind not in (NodeKind.MINIO, NodeKind.MINIO_PLAIN):
        raise Conflict(
            "Only MinIO servers can be told to tell of changes; those of folders are heard anyway.",
            code="node_kind",
        )
    return _found(context, session, node)


def _found(context: EffectsContext, session: Session, node: Node) -> _Found:
    source = session.get(EventSource, node.id)
    buckets = session.scalars(select(Root.bucket).where(Root.node_id == node.id).distinct().order_by(Root.bucket))
    return _Found(
        node.id,
        node.name,
        _target_name(context, node),
        node.kind == NodeKind.MINIO,
        tuple(buckets),
        source.token_number if source else 0,
        source.applied if source else False,
        source.heard_at if source else None,
    )


def _state(context: EffectsContext, found: _Found) -> SourceState:
    live, arn, problem = None, found.target.arn(""), None
    buckets = tuple(ToldBucket(one, told=False) for one in found.buckets)
    if not found.configurable:
        problem = NOT_CONFIGURABLE
    else:
        try:
            target = _target(context, found)
            live = target.live_arn()
            arn = live or found.target.arn(target.region())
            there = minio_driver(context, found.node_id).bucket_names()
            buckets = tuple(ToldBucket(one, one in there and target.is_told(one)) for one in found.buckets)
        except (NodeError, Unavailable) as error:
            problem = str(error)
    known, is_live = found.token_number > 0, live is not None
    return SourceState(found.name, arn, known, found.applied, found.heard_at, is_live, buckets, problem)


def _target(context: EffectsContext, found: _Found) -> EventTarget:
    return EventTarget(minio_driver(context, found.node_id).connection, found.target)


def _target_name(context: EffectsContext, node: Node) -> TargetName:
    """Of the node's own prefix; a node that makes nothing on its server has none, and gets one that is derived."""
    if node.name_prefix:
        return TargetName(node.name_prefix.replace("-", ""))
    subkey = context.keyring.current(f"event target {node.id}")
    return TargetName("wio" + subkey.key.hex()[:6])


def _endpoint(address: str, name: str) -> str:
    stripped = address.rstrip("/")
    if not _ADDRESS.match(stripped):
        raise Invalid(
            "The address at which the server reaches this service is like https://files.example.org:8100.",
            code="invalid_address",
        )
    return stripped + PATH + name


def _refused(error: NodeError, endpoint: str | None) -> Unavailable:
    """In one sentence, with what the key lacks or where the server may not reach us."""
    if isinstance(error, NotPermitted):
        rights = ", ".join(CONFIGURATION_ACTIONS)
        sentence = f"The node's access key needs the rights {rights} for this; or type the commands yourself."
        return Unavailable(sentence, code="server_unfit")
    if isinstance(error, RequestRefused) and endpoint is not None:
        sentence = f"{str(error).rstrip('.')}; does it reach {endpoint}? `--address` names another address."
        return Unavailable(sentence, code="server_unfit")
    return Unavailable(str(error), code="node_down" if isinstance(error, NodeDown) else "server_unfit")
