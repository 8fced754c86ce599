"""Settings of the service that administrators change while it runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.facts import ADD_NODES, load_service_target
from workspacesio.database.tables import ServiceSetting, User
from workspacesio.domain.vocabulary import Action, AddNodePolicy
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import require_service
from workspacesio.services.users import user_named

_REGISTRATION = "registration"


class Registration(StrEnum):
    """Who may register once the service has an administrator."""

    OPEN = "open"
    INVITATION = "invitation"
    CLOSED = "closed"


def registration(session: Session) -> Registration:
    row = session.get(ServiceSetting, _REGISTRATION)
    return Registration.OPEN if row is None else Registration(row.value)


def set_registration(session: Session, *, actor: Actor, mode: Registration, now: datetime) -> None:
    """Administrators only. Invitations that were sent count again when registration is opened for them again."""
    require_service(actor, Action.CHANGE_SERVICE, now)
    before = registration(session)
    session.merge(ServiceSetting(name=_REGISTRATION, value=mode.value))
    record(
        session,
        actor=actor,
        verb="service.set_registration",
        target=_REGISTRATION,
        now=now,
        details={"from": before.value, "to": mode.value},
    )


@dataclass(frozen=True, slots=True)
class NodeAdders:
    """Who adds servers as nodes, besides administrators. `usernames` go with AddNodePolicy.USERS."""

    policy: AddNodePolicy
    usernames: tuple[str, ...] = ()


def show_node_adders(session: Session, *, actor: Actor, now: datetime) -> NodeAdders:
    """Administrators only."""
    require_service(actor, Action.CHANGE_SERVICE, now)
    return _node_adders(session)


def set_node_adders(
    session: Session, *, actor: Actor, policy: AddNodePolicy, usernames: Sequence[str] = (), now: datetime
) -> None:
    """Administrators only. Nodes that were added stay their operators'. Raises NotFound for an unknown user."""
    require_service(actor, Action.CHANGE_SERVICE, now)
    before = _node_adders(session)
    named = sorted(set(usernames)) if policy is AddNodePolicy.USERS else []
    if policy is AddNodePolicy.USERS and not named:
        policy = AddNodePolicy.NOBODY
    value = [user_named(session, username).id for username in named]
    stored = value if policy is AddNodePolicy.USERS else policy.value
    session.merge(ServiceSetting(name=ADD_NODES, value=json.dumps(stored)))
    record(
        session,
        actor=actor,
        verb="service.set_node_adders",
        target=ADD_NODES,
        now=now,
        details={"from": _written(before), "to": _written(NodeAdders(policy, tuple(named)))},
    )


def _node_adders(session: Session) -> NodeAdders:
    facts = load_service_target(session).service
    query = select(User.username).where(User.id.in_(facts.node_adders)).order_by(User.username)
    return NodeAdders(facts.add_nodes, tuple(session.scalars(query)))


def _written(adders: NodeAdders) -> str | list[str]:
    return list(adders.usernames) if adders.policy is AddNodePolicy.USERS else adders.policy.value
