"""MinIO's ListenBucketNotification, which `mc watch` uses: events as they happen, one JSON document a line.

    GET /bucket?events=s3:ObjectCreated:*&prefix=…&suffix=…&ping=10        or GET /?events=… for all buckets

Every event is decided for itself when it is about to be sent: reading its key must be allowed then. The
stream ends within a second or two when the credential does, by its expiry or because it was revoked, and when what
it listens to is out of the principal's reach: a bucket without anything to read, a prefix that may not be listed.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from urllib.parse import quote_plus

from workspacesio.domain.authority import Event, Identified, ObjectTarget
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Action
from workspacesio.s3.context import Context
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, StreamedResponse
from workspacesio.s3.xml_documents import OWNER_ID

_DEFAULT_PING_SECONDS = 5
_CHECK_SECONDS = 1.0
_KEEPALIVE = b" "


class _Filter:
    """Which events a listener asked for."""

    def __init__(self, request: Request) -> None:
        self.prefix = request.query.get("prefix") or ""
        self._suffix = request.query.get("suffix") or ""
        names = request.query.get_all("events")
        self._exact = frozenset(name for name in names if not name.endswith("*"))
        self._beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
        for name in names:
            if not name.startswith("s3:"):
                raise S3Error(
                    ErrorCode.InvalidArgument,
                    "A specified event is not supported for notifications.",
                    ArgumentName="events",
                    ArgumentValue=name,
                )

    def wants(self, event: Event) -> bool:
        if not (event.key.startswith(self.prefix) and event.key.endswith(self._suffix)):
            return False
        return event.name in self._exact or event.name.startswith(self._beginnings)


async def listen_notification(context: Context, request: Request) -> Response:
    """A stream of events, from now on."""
    wanted = _Filter(request)
    if not await _reaches(context, request.bucket, wanted.prefix):
        raise S3Error(ErrorCode.AccessDenied)
    ping = request.number("ping", _DEFAULT_PING_SECONDS, most=60) or _DEFAULT_PING_SECONDS
    headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")]
    return StreamedResponse(200, headers, _lines(context, request.bucket, wanted, ping))


async def _lines(context: Context, bucket: str, wanted: _Filter, ping: int) -> AsyncGenerator[bytes, None]:
    authority, node_id = context.authority, context.principal.node_id
    cursor = authority.event_cursor()
    await authority.events_after(cursor, node_id, bucket)
    yield _KEEPALIVE
    loop = asyncio.get_running_loop()
    last = checked = loop.time()
    while context.settings.clock() < context.principal.expires_at and not context.settings.stopping():
        await asyncio.sleep(context.settings.poll_seconds)
        for event in await authority.events_after(cursor, node_id, bucket):
            if wanted.wants(event) and await _may_read(context, event):
                yield _line(event, context.settings.region)
                last = loop.time()
        if loop.time() - checked >= _CHECK_SECONDS:
            checked = loop.time()
            if not (await _still_identified(context) and await _reaches(context, bucket, wanted.prefix)):
                return
        if loop.time() - last >= ping:
            yield _KEEPALIVE
            last = loop.time()


async def _reaches(context: Context, bucket: str, prefix: str) -> bool:
    """Whether there may be something to hear. `prefix` may name a folder without its slash."""
    buckets = await context.authority.buckets(context.principal)
    if not prefix or not bucket:
        return bucket in buckets if bucket else bool(buckets)
    for listed in (prefix, prefix + "/"):
        target = ObjectTarget(bucket, listed)
        verdict = await context.authority.decide(context.principal, Action.LIST_DATA, target)
        if not isinstance(verdict, Denied):
            return True
    return False


async def _may_read(context: Context, event: Event) -> bool:
    target = ObjectTarget(event.bucket, event.key)
    verdict = await context.authority.decide(context.principal, Action.READ_DATA, target)
    return not isinstance(verdict, Denied)


async def _still_identified(context: Context) -> bool:
    signature = context.signature
    found = await context.authority.identify(
        signature.access_key_id, signature.security_token, context.settings.clock()
    )
    return isinstance(found, Identified)


def _line(event: Event, region: str) -> bytes:
    """One line: "Event message structure" in the Amazon S3 user guide, as MinIO spells it."""
    found: dict[str, object] = {"key": quote_plus(event.key), "sequencer": f"{event.event_id:016X}"}
    if event.size is not None:
        found["size"] = event.size
    if event.etag is not None:
        found["eTag"] = event.etag
    owner = {"principalId": OWNER_ID}
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": region,
        "eventTime": _event_time(event.at),
        "eventName": event.name,
        "userIdentity": owner,
        "requestParameters": {"principalId": OWNER_ID, "region": region, "sourceIPAddress": ""},
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": owner,
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": found,
        },
        "source": {"host": "", "port": "", "userAgent": ""},
    }
    return json.dumps({"Records": [record]}).encode() + b"\n"


def _event_time(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
