"""What the service says of itself, and its settings."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

import workspacesio
from workspacesio.api.dependencies import Anyone, SignedIn
from workspacesio.api.fields import Body, Names
from workspacesio.domain.errors import Invalid
from workspacesio.domain.vocabulary import AddNodePolicy
from workspacesio.services.one_time_tokens import has_administrator
from workspacesio.services.service_settings import (
    Registration,
    registration,
    set_node_adders,
    set_registration,
    show_node_adders,
)

router = APIRouter(tags=["service"])


class Service(BaseModel):
    version: str
    registration: Registration
    s3_address: str
    public_address: str
    has_administrator: bool


class Health(BaseModel):
    status: Literal["ok"]


Adders = Literal["everyone", "nobody"] | Names


class ServiceChange(Body):
    """`add_nodes`: who adds servers as nodes besides administrators: everyone, nobody, or these users."""

    registration: Registration | None = None
    add_nodes: Adders | None = None


class ServiceSettings(BaseModel):
    """`node_adders` are the users of `users`."""

    registration: Registration
    add_nodes: Literal["everyone", "users", "nobody"]
    node_adders: list[str]


@router.get("/service")
def show_service(visit: Anyone) -> Service:
    """What a client needs to know before anybody signs in."""
    with visit.read() as (session, _):
        return Service(
            version=workspacesio.__version__,
            registration=registration(session),
            s3_address=visit.s3_address,
            public_address=visit.public_address,
            has_administrator=has_administrator(session),
        )


@router.get("/health")
def show_health(visit: Anyone) -> Health:
    """Answers while the service and its database work."""
    visit.context.database.generation()
    return Health(status="ok")


@router.get("/service/settings")
def show_settings(call: SignedIn) -> ServiceSettings:
    """Who may register and who may add nodes on servers, for administrators."""
    with call.read() as (session, actor, now):
        adders = show_node_adders(session, actor=actor, now=now)
        return ServiceSettings(
            registration=registration(session),
            add_nodes=adders.policy.value,
            node_adders=list(adders.usernames),
        )


@router.patch("/service")
def change_service(call: SignedIn, change: ServiceChange) -> Service:
    """Set who may register, or who may add nodes on servers. Administrators only."""
    if change.registration is None and change.add_nodes is None:
        raise Invalid("Say what to change: `registration` or `add_nodes`.", code="invalid_request")
    with call.write() as (session, actor, now):
        if change.registration is not None:
            set_registration(session, actor=actor, mode=change.registration, now=now)
        if change.add_nodes is not None:
            policy, usernames = _adders(change.add_nodes)
            set_node_adders(session, actor=actor, policy=policy, usernames=usernames, now=now)
    return show_service(call.visit)


def _adders(wanted: Adders) -> tuple[AddNodePolicy, list[str]]:
    return (AddNodePolicy(wanted), []) if isinstance(wanted, str) else (AddNodePolicy.USERS, wanted)
