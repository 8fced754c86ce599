"""How a change becomes visible: decided again, room reserved, published, then recorded.

Every write goes through here once its bytes are staged, so that the order is the same for all of them: the
last decision and the reservation come before the change can be seen; usage and events after. What can't be
recorded after the change is there is logged, not answered: the object is safe, and a crawl repairs the
rest.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass

from workspacesio.domain.authority import Event, Permit, QuotaExceeded, Reservation
from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.driver import StagedObject, StagedPart
from workspacesio.nodes.errors import PreconditionFailed
from workspacesio.nodes.values import (
    NO_PRECONDITIONS,
    ObjectAddress,
    ObjectMetadata,
    PartInfo,
    Preconditions,
    Published,
)
from workspacesio.s3.context import Context
from workspacesio.s3.error_codes import ErrorCode, S3Error

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SourceOfCopy:
    """What a copy reads from, under which permit: decided again before the copy becomes visible."""

    permit: Permit
    bucket: str
    key: str


async def reserve(context: Context, permit: Permit, delta_bytes: int, delta_objects: int) -> Reservation:
    """Room for a write. Raises S3Error QuotaExceeded."""
    reserved = await context.authority.reserve(permit, context.principal, delta_bytes, delta_objects)
    if isinstance(reserved, QuotaExceeded):
        raise S3Error(ErrorCode.QuotaExceeded, reserved.sentence)
    return reserved


async def decide_again(
    context: Context, permit: Permit, address: ObjectAddress, source: SourceOfCopy | None
) -> None:
    """The decisions of the start, once more: rights may have been taken back while bytes arrived."""
    await context.permit_again(permit, Action.WRITE_DATA, address.bucket, address.key)
    if source is not None:
        await context.permit_again(source.permit, Action.READ_DATA, source.bucket, source.key)


async def publish(
    context: Context,
    permit: Permit,
    address: ObjectAddress,
    staged: StagedObject,
    metadata: ObjectMetadata,
    *,
    event: str,
    preconditions: Preconditions = NO_PRECONDITIONS,
    source: SourceOfCopy | None = None,
    counted_bytes: int = 0,
) -> Published:
    """Make what is staged the object. The caller discards `staged` where this raises.

    `event`: S3's event name. `counted_bytes`: what was committed for the parts of this upload already, as far as
    is known before it ends. The event speaks of objects alone, so its delta is that of the object.
    """
    await decide_again(context, permit, address, source)
    replaced = await staged.current_size()
    reservation = await reserve(
        context, permit, staged.size - (replaced or 0) - counted_bytes, int(replaced is None)
    )
    try:
        published = await staged.publish(metadata, preconditions)
    except PreconditionFailed:
        await context.authority.release(reservation)
        if preconditions.if_match is not None and await staged.current_size() is None:
            raise S3Error(ErrorCode.NoSuchKey, Key=address.key) from None
        raise
    except BaseException:
        await context.authority.release(reservation)
        raise
    delta_bytes = published.info.size - (published.replaced_size or 0)
    delta_objects = int(published.replaced_size is None)
    await recorded(context.authority.commit(reservation, delta_bytes - published.parts_bytes, delta_objects))
    await happened(
        context,
        permit,
        address.key,
        event,
        size=published.info.size,
        etag=published.info.etag,
        delta_bytes=delta_bytes,
        delta_objects=delta_objects,
    )
    return published


async def publish_part(
    context: Context,
    permit: Permit,
    address: ObjectAddress,
    staged: StagedPart,
    *,
    upload_id: str,
    number: int,
    etag: str,
    checksums: dict[str, str],
    source: SourceOfCopy | None = None,
) -> PartInfo:
    """Make what is staged a part of its upload, committed as used space. The caller discards as with `publish`."""
    await decide_again(context, permit, address, source)
    there, _ = await context.driver.parts(address, upload_id, after=number - 1, max_parts=1)
    replaced_size = there[0].size if there and there[0].number == number else 0
    reservation = await reserve(context, permit, staged.size - replaced_size, 0)
    try:
        part = await staged.publish(etag, checksums)
    except BaseException:
        await context.authority.release(reservation)
        raise
    await recorded(context.authority.commit(reservation, part.size - replaced_size, 0))
    return part


async def give_back(context: Context, permit: Permit, freed_bytes: int, freed_objects: int) -> None:
    """Record that space was freed. Never refused: whoever is over a quota may delete."""
    await recorded(_give_back(context, permit, freed_bytes, freed_objects))


async def _give_back(context: Context, permit: Permit, freed_bytes: int, freed_objects: int) -> None:
    reserved = await context.authority.reserve(permit, context.principal, -freed_bytes, -freed_objects)
    if isinstance(reserved, Reservation):
        await context.authority.commit(reserved, -freed_bytes, -freed_objects)


async def happened(
    context: Context,
    permit: Permit,
    key: str,
    name: str,
    *,
    size: int | None = None,
    etag: str | None = None,
    delta_bytes: int = 0,
    delta_objects: int = 0,
) -> None:
    """Journal an event."""
    event = Event(
        name=name,
        at=context.settings.clock(),
        node_id=permit.node_id,
        bucket=permit.bucket,
        key=key,
        workspace_id=permit.workspace_id,
        user_id=context.principal.user_id,
        size=size,
        etag=etag,
        delta_bytes=delta_bytes,
        delta_objects=delta_objects,
    )
    await recorded(context.authority.happened(event))


async def recorded(recording: Awaitable[None]) -> None:
    """Await what records a change that is already there; a failure is logged."""
    try:
        await recording
    except Exception:
        _log.exception("a change was made but not recorded: the object is safe, its event and size are missing")
