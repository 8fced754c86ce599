"""How the server of a node tells of changes, for its operator."""

import dataclasses

from fastapi import APIRouter
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.fields import Body, Instant, Line, Name
from workspacesio.services.event_sources import SourceState, end_source, make_source, source_state

router = APIRouter(prefix="/nodes", tags=["nodes"])


class ToldBucketView(BaseModel):
    """`told`: the server tells what happens in the bucket."""

    bucket: str
    told: bool


class EventSourceView(BaseModel):
    """`known`: a token was made for the server; `applied`: it was set there with the node's own key.

    `live`: the server has read its setting. `heard_at` is when it last told something, give or take a minute;
    `problem` why the server can't be asked. Buckets of the server are told to use `arn`.
    """

    node: str
    arn: str
    known: bool
    applied: bool
    heard_at: Instant | None
    live: bool
    buckets: list[ToldBucketView]
    problem: str | None


class EventSourceRequest(Body):
    """`apply` sets the server up with the node's own key, `restart` restarts it if it must read the setting.

    `renew` ends the token that was given out before. `address` is where the server reaches this service, if not
    at its public name; `queue_dir` a folder of the server's machine in which it keeps what it can't tell.
    """

    apply: bool = False
    restart: bool = False
    renew: bool = False
    address: Line | None = None
    queue_dir: Line | None = None


class EventSourceSetting(BaseModel):
    """`setting` is one line of the server's configuration; it holds the token, and is not shown elsewhere."""

    endpoint: str
    setting: str
    restart_needed: bool
    state: EventSourceView


@router.get("/{name}/events")
def node_events(call: SignedIn, name: Name) -> EventSourceView:
    """Whether the node's server tells of changes, and of which buckets."""
    return _view(source_state(call.visit.context, call.read, name=name))


@router.post("/{name}/events")
def set_node_events(call: SignedIn, name: Name, wanted: EventSourceRequest) -> EventSourceSetting:
    """The setting with which the node's server tells of changes; with `apply`, it is set there."""
    made = make_source(
        call.visit.context,
        call.write,
        name=name,
        address=wanted.address or call.visit.public_address,
        queue_dir=wanted.queue_dir,
        apply=wanted.apply,
        restart=wanted.restart,
        renew=wanted.renew,
    )
    return EventSourceSetting(
        endpoint=made.endpoint,
        setting=made.setting,
        restart_needed=made.restart_needed,
        state=_view(made.state),
    )


@router.delete("/{name}/events", status_code=204)
def end_node_events(call: SignedIn, name: Name) -> None:
    """The server's token ends, and what was set on it with `apply` is taken away."""
    end_source(call.visit.context, call.write, name=name)


def _view(state: SourceState) -> EventSourceView:
    return EventSourceView.model_validate(dataclasses.asdict(state))
