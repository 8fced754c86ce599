"""Where a change of rights holds: each node that it concerns hears of it after the transaction, before the answer.

with call.write() as (session, actor, now):
    use_case(session, actor=actor, ..., now=now)
    marked = node_effects.marked(session)
return Settled(enforced=enforced_on(call.visit.context, marked))
"""

from collections.abc import Iterable

from pydantic import BaseModel

from workspacesio.api.context import ServerContext
from workspacesio.api.fields import Enforced, EnforcedAtExpiry, EnforcedNow
from workspacesio.services.node_effects import Marked, SettledNode, settled_nodes


class Settled(BaseModel):
    """`enforced` names the nodes that had to be told of the change; the service's own need not be."""

    enforced: list[Enforced]


def enforced_on(context: ServerContext, marked: Marked, *, nodes: Iterable[int] = ()) -> list[Enforced]:
    """By name; `nodes` (ids) are named in any case. A node that can't be reached is pending, and no error."""
    return [_settlement(one) for one in settled_nodes(context, marked, nodes=nodes)]


def _settlement(one: SettledNode) -> Enforced:
    if one.state == "at_expiry" and one.at is not None:
        return EnforcedAtExpiry(node=one.name, state=one.state, at=one.at, denied=one.denied)
    return EnforcedNow(node=one.name, state="enforced" if one.state == "enforced" else "pending")
