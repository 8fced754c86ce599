"""What route functions are given: the context, and the door through which they act as the caller.

    def route(call: SignedIn) -> ...:
        with call.write() as (session, actor, now):
            use_case(session, actor=actor, ..., now=now)

The caller is identified in the transaction in which they act, by the clock at its beginning.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from workspacesio.api.addresses import client_address, public_address, s3_address
from workspacesio.api.context import ServerContext
from workspacesio.domain.errors import Conflict
from workspacesio.index.opening import IndexReader
from workspacesio.services.actors import Actor, identify
from workspacesio.services.storage import Storage, wait_on

_bearer = HTTPBearer(
    auto_error=False, description="A session token (`wios_…`, from sign-in) or an API key (`wiok_…`)."
)


class Step(NamedTuple):
    """A transaction, who acts in it, and when."""

    session: Session
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, whoever sent it. Route functions run in threads; `loop` is where drivers live."""

    context: ServerContext
    request: Request
    loop: asyncio.AbstractEventLoop

    @property
    def address(self) -> str:
        return client_address(self.request, self.context.settings)

    @property
    def public_address(self) -> str:
        return public_address(self.request, self.context.settings)

    @property
    def s3_address(self) -> str:
        return s3_address(self.request, self.context.settings)

    @contextmanager
    def read(self) -> Iterator[tuple[Session, datetime]]:
        with self.context.database.read() as session:
            yield session, self.context.clock()

    @contextmanager
    def write(self) -> Iterator[tuple[Session, datetime]]:
        with self.context.database.write() as session:
            yield session, self.context.clock()


@dataclass(frozen=True, slots=True)
class Call:
    """A request with a token. Whose it is shows in each transaction anew."""

    visit: Visit
    token: str = field(repr=False)

    @contextmanager
    def read(self) -> Iterator[Step]:
        """Raises Unauthenticated."""
        with self.visit.read() as (session, now):
            yield Step(session, identify(session, token=self.token, now=now), now)

    @contextmanager
    def write(self) -> Iterator[Step]:
        """Raises Unauthenticated."""
        with self.visit.write() as (session, now):
            yield Step(session, identify(session, token=self.token, now=now), now)

    def require_writable(self) -> None:
        """Raise Conflict where the whole service was started to refuse every write."""
        if self.visit.context.settings.read_only:
            raise Conflict("This service is read-only.", code="node_is_read_only")

    @property
    def index(self) -> IndexReader:
        """What is searched. Raises Unavailable, when it is asked and can't be."""
        return self.visit.context.index

    def storage(self, node_id: int) -> Storage:
        """What use cases ask of the node; never inside a transaction. Raises Unavailable."""
        return Storage(self.visit.context.drivers(node_id), wait_on(self.visit.loop))


async def _visit(request: Request) -> Visit:
    return Visit(request.app.state.context, request, asyncio.get_running_loop())


Anyone = Annotated[Visit, Depends(_visit)]


async def _call(
    visit: Anyone, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Call:
    return Call(visit, credentials.credentials if credentials else "")


SignedIn = Annotated[Call, Depends(_call)]


def is_open(route: APIRoute) -> bool:
    """Whether a route is for anybody, signed in or not."""
    return all(one.call is not _call for one in route.dependant.dependencies)
