"""What the service says of itself, and its settings."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

import workspacesio
from workspacesio.api.dependencies import Anyone, SignedIn
from workspacesio.api.fields import Body
from workspacesio.services.one_time_tokens import has_administrator
from workspacesio.services.service_settings import Registration, registration, set_registration

router = APIRouter(tags=["service"])


class Service(BaseModel):
    version: str
    registration: Registration
    s3_address: str
    public_address: str
    has_administrator: bool


class Health(BaseModel):
    status: Literal["ok"]


class ServiceChange(Body):
    registration: Registration


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


@router.patch("/service")
def change_service(call: SignedIn, change: ServiceChange) -> Service:
    """Administrators only."""
    with call.write() as (session, actor, now):
        set_registration(session, actor=actor, mode=change.registration, now=now)
    return show_service(call.visit)
