"""S3 by sessions of a role, as AWS has them.

The node's own keys belong to an IAM user who may do nothing but assume the role. Whoever gets keys gets a session
of that role, cut down by a session policy; the service itself lists and deletes with a session that isn't.
AssumeRole: AWS Security Token Service API Reference.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider, StaticProvider

from workspacesio.domain.s3_policies import Language
from workspacesio.nodes.aws.iam import OWN_SESSION, deny_sessions_before
from workspacesio.nodes.minio.connection import Connection
from workspacesio.nodes.minio.driver import ServerStorage
from workspacesio.nodes.minio.sts import Keys, assume_role
from workspacesio.nodes.sessions.issuer import SESSION_ABILITIES

OWN_SECONDS = 3600
RENEW_BEFORE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Role:
    """`external_id` is what the role's trust policy asks for, if it does."""

    arn: str
    external_id: str | None

    @property
    def name(self) -> str:
        """Without the path that may be in front of it."""
        return self.arn.rpartition("/")[2]

    def fields(self, session_name: str) -> Mapping[str, str]:
        fields = {"RoleArn": self.arn, "RoleSessionName": session_name}
        return fields if self.external_id is None else {**fields, "ExternalId": self.external_id}


class AwsDriver(ServerStorage):
    """Implements `SessionIssuer`. One in each process and node. The connections have the node's own keys."""

    abilities = SESSION_ABILITIES
    language = Language.AWS

    def __init__(self, sts: Connection, s3: Connection, iam: Connection, role: Role) -> None:
        super().__init__(_AsRole(sts, s3, iam, role))
        self.role = role
        self._sts = sts
        self._iam = iam
        self._s3 = s3

    def issue(self, *, session_name: str, seconds: int, policy: str) -> Keys:
        return _assume(self._sts, self.role, session_name, seconds, policy)

    def deny_sessions_before(self, moment: datetime) -> None:
        """As `iam.deny_sessions_before`; the node's own keys need iam:PutRolePolicy on the role."""
        deny_sessions_before(self._iam, self.role.name, moment)

    def s3_with(self, keys: Keys) -> Minio:
        provider = StaticProvider(keys.access_key_id, keys.secret_access_key, keys.session_token)
        return self._s3.s3_with(provider)


class _AsRole:
    """The S3 interface with the whole role's rights; an `OpenedServer`."""

    def __init__(self, sts: Connection, s3: Connection, iam: Connection, role: Role) -> None:
        self._connections = sts, s3, iam
        self.s3 = s3.s3_with(_RoleKeys(sts, role))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


class _RoleKeys(Provider):
    """Asked for each request, from many threads."""

    def __init__(self, sts: Connection, role: Role) -> None:
        self._sts = sts
        self._role = role
        self._keys: Keys | None = None
        self._lock = threading.Lock()

    def retrieve(self) -> Credentials:
        with self._lock:
            if self._keys is None or self._keys.expires_at - RENEW_BEFORE < datetime.now(UTC):
                self._keys = _assume(self._sts, self._role, OWN_SESSION, OWN_SECONDS, None)
            keys = self._keys
        return Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)


def _assume(sts: Connection, role: Role, session_name: str, seconds: int, policy: str | None) -> Keys:
    access = sts.access
    return assume_role(
        sts,
        user=access.access_key,
        secret=access.secret,
        seconds=seconds,
        policy=policy,
        role=role.fields(session_name),
    )
