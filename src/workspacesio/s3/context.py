"""What a handler acts with: who signed the request, the authority, the node's driver."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workspacesio.domain.authority import Authority, ObjectTarget, Permit, Principal
from workspacesio.domain.permissions import Denied
from workspacesio.domain.vocabulary import Action
from workspacesio.nodes.driver import NodeDriver
from workspacesio.nodes.values import ObjectAddress
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.request_body import BodyLimits
from workspacesio.s3.signature_fields import ParsedSignature

_SAID_REASONS = {
    "level_too_low": "You may read here, but not write.",
    "narrowed_to_reading": "This credential was made for reading only.",
}
"""Denials that may be told apart, as a read-only node may: they say nothing of what is outside one's sight."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """`region` is what GetBucketLocation names; signatures for any region are accepted.

    `send_idle_seconds`: how long a client may take none of a body that it asked for.
    `keepalive_seconds`: how long a completion may take before blanks are sent ahead of its answer.
    `poll_seconds`: how often an event stream looks for new events. It ends when the process is `stopping`.
    """

    region: str = "us-east-1"
    cors_origins: tuple[str, ...] = ()
    body_limits: BodyLimits = field(default_factory=BodyLimits)
    send_idle_seconds: float = 120.0
    keepalive_seconds: float = 10.0
    poll_seconds: float = 0.15
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopping: Callable[[], bool] = lambda: False


class Context:
    """One request's surroundings. The secret is here for the signatures of chunks, and goes nowhere else."""

    __slots__ = ("authority", "driver", "principal", "rights_seen", "secret_access_key", "settings", "signature")

    def __init__(
        self,
        *,
        authority: Authority,
        driver: NodeDriver,
        principal: Principal,
        signature: ParsedSignature,
        secret_access_key: str,
        settings: EndpointSettings,
        rights_seen: int | None = None,
    ) -> None:
        self.authority = authority
        self.driver = driver
        self.principal = principal
        self.signature = signature
        self.secret_access_key = secret_access_key
        self.settings = settings
        self.rights_seen = rights_seen

    async def permit(self, action: Action, bucket: str, key: str) -> Permit:
        """The permit for the action now, or S3Error AccessDenied: the same for absent and hidden."""
        verdict = await self.authority.decide(self.principal, action, ObjectTarget(bucket, key))
        return _allowed(verdict)

    async def permit_at_start(self, action: Action, bucket: str, key: str) -> Permit:
        """As `permit`, for a handler that has waited for nothing yet: by the rights that identification read."""
        verdict = await self.authority.decide(self.principal, action, ObjectTarget(bucket, key), self.rights_seen)
        return _allowed(verdict)

    async def permit_again(self, earlier: Permit, action: Action, bucket: str, key: str) -> Permit:
        """As `permit`, and AccessDenied too when the key has come to belong to another workspace meanwhile, or
        when the right reaches less far around it: `earlier` was acted within."""
        permit = await self.permit(action, bucket, key)
        if permit.workspace_id != earlier.workspace_id or not earlier.prefix.startswith(permit.prefix):
            raise S3Error(ErrorCode.AccessDenied)
        return permit


def _allowed(verdict: Permit | Denied) -> Permit:
    if isinstance(verdict, Denied):
        if verdict.reason == "node_is_read_only":
            raise S3Error(ErrorCode.StorageReadOnly)
        if verdict.reason == "credential_expired":  # while it was sent; whoever has newer keys sends it again
            raise S3Error(ErrorCode.ExpiredToken)
        raise S3Error(ErrorCode.AccessDenied, _SAID_REASONS.get(verdict.reason))
    return verdict


def address_of(permit: Permit, key: str) -> ObjectAddress:
    """Where a permitted key is, and the folder that must not be left."""
    return ObjectAddress(permit.bucket, key, permit.prefix)
