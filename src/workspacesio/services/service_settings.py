"""Settings of the service that administrators change while it runs."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from workspacesio.database.tables import ServiceSetting
from workspacesio.domain.vocabulary import Action
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import require_service

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
