"""Telling foreign servers what changed, so that what is answered as `enforced` is so.

A change of rights marks its subjects in its own transaction (`effect_marks.py`). After the commit, `settle`
makes the servers' policies equal to the facts; what can't be reached stays pending, and the worker goes on with
it (`continue_effects`) and looks now and then whether somebody changed something there by hand
(`node_repair.reconcile`).
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Group, Node, NodeEffect, User
from workspacesio.domain.errors import Unavailable, WorkspacesIOError
from workspacesio.domain.vocabulary import NodeKind, SubjectKind
from workspacesio.services.effect_marks import Marked, marked
from workspacesio.services.effect_writing import EffectsContext, Outcome, minio_driver, write_effect
from workspacesio.services.key_expiry import last_keys
from workspacesio.services.session_denial import deny_older_sessions
from workspacesio.services.subject_rights import subject_word

__all__ = [
    "EffectsContext",
    "Marked",
    "PendingEffect",
    "SettledNode",
    "State",
    "continue_effects",
    "marked",
    "minio_driver",
    "minio_nodes",
    "pending_effects",
    "renew_user",
    "require_settled",
    "settle",
    "settle_one",
    "settled_nodes",
    "written_subject",
]

SETTLE_SECONDS = 10.0
AT_ONCE = 8
POLL_SECONDS = 0.02
MAX_ATTEMPTS = 3
"""At once, where the server refuses or shows something else; the worker goes on."""

State = Literal["enforced", "pending", "at_expiry"]
_WORST_FIRST: tuple[State, ...] = ("pending", "at_expiry")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SettledNode:
    """Where a change holds. `at`: when it takes effect at the latest; with `at_expiry` alone.

    `denied`: the server was told to refuse keys from before, which it does soon, and promises no time.
    """

    name: str
    state: State
    at: datetime | None
    denied: bool


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """A subject, as users type it, of whom the server has not been told; `problem` says why, if it was tried."""

    subject: str
    attempted_at: datetime | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """The generations that effects must reach, by id; and effects that are only to be told again."""

    pending: dict[int, int]
    again: list[int]


def settle(
    context: EffectsContext, changed: Marked, *, nodes: Iterable[int] = (), seconds: float = SETTLE_SECONDS
) -> list[tuple[str, State]]:
    """As `settled_nodes`: the name and the state of each node alone."""
    return [(one.name, one.state) for one in settled_nodes(context, changed, nodes=nodes, seconds=seconds)]


def settled_nodes(
    context: EffectsContext, changed: Marked, *, nodes: Iterable[int] = (), seconds: float = SETTLE_SECONDS
) -> list[SettledNode]:
    """Tell the servers what `changed` says, and what became of it for each node concerned, by name.

    Called after the commit and outside of transactions. `nodes` are named in the answer in any case; where
    nothing is pending, as on folder nodes, they are enforced. Never raises for a server that is away. Where keys
    that nothing ends may hold what was taken away, it takes effect with the last of them.
    """
    behind = _tell(context, changed, seconds)
    with context.database.read() as session:
        ids = set(session.scalars(select(NodeEffect.node_id).where(NodeEffect.id.in_(changed.generations))))
        late = set(session.scalars(select(NodeEffect.node_id).where(NodeEffect.id.in_(behind))))
        ends = last_keys(session, changed.taken, now=context.clock())
        concerned = ids | set(ends) | set(nodes)
        found = session.execute(select(Node.id, Node.name).where(Node.id.in_(concerned)).order_by(Node.name)).all()
    denied = deny_older_sessions(context, ends) if ends else set()
    return [
        SettledNode(name, _state(node_id, late, ends), ends.get(node_id), node_id in denied)
        for node_id, name in found
    ]


def settle_one(context: EffectsContext, changed: Marked, *, seconds: float = SETTLE_SECONDS) -> State:
    """As `settle`, for a change that concerns one node."""
    states = {one.state for one in settled_nodes(context, changed, seconds=seconds)}
    for state in _WORST_FIRST:
        if state in states:
            return state
    return "enforced"


def _state(node_id: int, late: Collection[int], ends: Collection[int]) -> State:
    if node_id in late:
        return "pending"
    return "at_expiry" if node_id in ends else "enforced"


def pending_effects(session: Session, *, node_id: int) -> list[PendingEffect]:
    """Subjects of the node whose rights there are not what they should be yet."""
    behind = NodeEffect.applied_generation < NodeEffect.desired_generation
    rows = session.scalars(select(NodeEffect).where(NodeEffect.node_id == node_id, behind).order_by(NodeEffect.id))
    return [PendingEffect(written_subject(session, row), row.attempted_at, row.problem) for row in rows]


def require_settled(context: EffectsContext, changed: Marked) -> None:
    """Raise Unavailable, with the server's reason, unless all of it is enforced now."""
    behind = _tell(context, changed, SETTLE_SECONDS)
    if not behind:
        return
    with context.database.read() as session:
        problem = session.scalar(select(NodeEffect.problem).where(NodeEffect.id.in_(behind)).limit(1))
    raise Unavailable(
        f"The node's server can't be told of your rights now; try again shortly. {problem or ''}".rstrip(),
        code="node_pending",
    )


def renew_user(context: EffectsContext, effect_id: int) -> None:
    """Make the server's user and its secret what they shall be, whatever was last read back."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        outcome = write_effect(context, effect_id, renew_secret=True)
        if outcome is not None:
            return
        time.sleep(POLL_SECONDS)


def due_effects(context: EffectsContext) -> dict[int, Due]:
    """What is to be told now, by node."""
    behind = NodeEffect.applied_generation < NodeEffect.desired_generation
    with context.database.read() as session:
        rows = session.execute(
            select(NodeEffect.node_id, NodeEffect.id, NodeEffect.desired_generation, behind)
            .where(or_(behind, NodeEffect.refresh_at <= context.clock()))
            .order_by(NodeEffect.id)
        ).all()
    due: dict[int, Due] = {}
    for node_id, effect_id, generation, is_behind in rows:
        found = due.setdefault(node_id, Due({}, []))
        if is_behind:
            found.pending[effect_id] = generation
        else:
            found.again.append(effect_id)
    return due


def continue_node(context: EffectsContext, node_id: int, due: Due) -> int:
    """Tell one server what is due. Returns how many subjects are left."""
    with contextlib.suppress(WorkspacesIOError):
        # Nobody waits for the answer: it is asked even if it was away a moment ago.
        minio_driver(context, node_id).connection.reach.look_again()
    left = len(_tell_node(context, node_id, due.pending, 0))
    if due.again:
        _write_all(context, due.again)
    return left


def continue_effects(context: EffectsContext) -> int:
    """Tell all servers what is due. Returns how many subjects are left."""
    due = due_effects(context)
    return sum(_node_by_node(lambda node_id: continue_node(context, node_id, due[node_id]), due))


def is_away(context: EffectsContext, node_id: int) -> bool:
    """Whether the server didn't answer this process just now, or can't be asked at all."""
    try:
        return minio_driver(context, node_id).connection.reach.problem() is not None
    except WorkspacesIOError:
        return True


def minio_nodes(session: Session) -> list[int]:
    """Nodes whose servers must be told."""
    query = select(Node.id).where(Node.kind == NodeKind.MINIO.value, Node.leaving.is_(False))
    return list(session.scalars(query.order_by(Node.id)))


def _tell(context: EffectsContext, changed: Marked, seconds: float) -> set[int]:
    """Try for so long; returns the effects that are still behind what `changed` says."""
    if not changed:
        return set()
    with context.database.read() as session:
        rows = session.execute(
            select(NodeEffect.node_id, NodeEffect.id).where(NodeEffect.id.in_(changed.generations))
        ).all()
    by_node: dict[int, dict[int, int]] = {}
    for node_id, effect_id in rows:
        by_node.setdefault(node_id, {})[effect_id] = changed.generations[effect_id]

    def tell(node_id: int) -> set[int]:
        return _tell_node(context, node_id, by_node[node_id], seconds)

    return set().union(*_node_by_node(tell, by_node))


def _node_by_node(work: Callable[[int], T], nodes: Collection[int]) -> list[T]:
    """Each node in a thread of its own, so that one that is away holds up no other."""
    if len(nodes) < 2:
        return [work(node_id) for node_id in nodes]
    with ThreadPoolExecutor(min(AT_ONCE, len(nodes))) as threads:
        return list(threads.map(work, nodes))


def _tell_node(context: EffectsContext, node_id: int, generations: Mapping[int, int], seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    waiting = _still_behind(context, generations) if generations else {}
    attempts = 0
    while waiting:
        outcomes = _write_all(context, sorted(waiting))
        waiting = _still_behind(context, waiting)
        # What another process is at is waited for.
        attempts += None not in outcomes
        failed = any(outcome is not None and outcome.away for outcome in outcomes)
        hangs = None in outcomes and is_away(context, node_id)
        if not waiting or failed or hangs or attempts == MAX_ATTEMPTS or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return set(waiting)


def _write_all(context: EffectsContext, ids: Sequence[int]) -> list[Outcome | None]:
    """Effects of one node. The first one alone: where it fails, the server is most likely away for all."""
    first = write_effect(context, ids[0])
    if len(ids) == 1 or (first is not None and first.away):
        return [first]
    with ThreadPoolExecutor(min(AT_ONCE, len(ids) - 1)) as threads:
        return [first, *threads.map(lambda effect_id: write_effect(context, effect_id), ids[1:])]


def _still_behind(context: EffectsContext, generations: Mapping[int, int]) -> dict[int, int]:
    with context.database.read() as session:
        rows = session.execute(
            select(NodeEffect.id, NodeEffect.applied_generation).where(NodeEffect.id.in_(generations))
        ).all()
    return {effect_id: generations[effect_id] for effect_id, applied in rows if applied < generations[effect_id]}


def written_subject(session: Session, row: NodeEffect) -> str:
    """The subject as users type it, or as the server has it where its row is gone."""
    if row.subject_kind == SubjectKind.USER.value:
        user = session.get(User, row.subject_id)
        return user.username if user else subject_word(SubjectKind(row.subject_kind), row.subject_id)
    if row.subject_kind == SubjectKind.GROUP.value:
        group = session.get(Group, row.subject_id)
        return f"@{group.name}" if group else f"@{subject_word(SubjectKind(row.subject_kind), row.subject_id)}"
    return "everyone"
