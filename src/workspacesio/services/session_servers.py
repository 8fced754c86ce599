"""A server that issues sessions: what describes it, and its driver. One place knows the kinds apart."""

from dataclasses import dataclass, field

from workspacesio.database.tables import Node
from workspacesio.domain.s3_policies import Language
from workspacesio.domain.vocabulary import NodeKind
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.aws.driver import AwsDriver, Role
from workspacesio.nodes.aws.iam import IAM_ADDRESS, IAM_REGION
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.sessions.plain_minio import PlainMinioDriver

SessionDriver = PlainMinioDriver | AwsDriver


def policy_language(node: Node) -> Language:
    """In which language the server of the node reads session policies."""
    return Language.AWS if node.kind == NodeKind.AWS else Language.MINIO


@dataclass(frozen=True, slots=True)
class SessionServer:
    """As the columns of `Node` have it. `role_arn` and `sts_endpoint` are those of AWS nodes."""

    kind: NodeKind
    endpoint: str
    public_endpoint: str | None
    region: str
    access_key: str
    secret: str = field(repr=False)
    sts_endpoint: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    may_deny_sessions: bool = False

    @classmethod
    def of(cls, node: Node, secret: str) -> "SessionServer":
        return cls(
            NodeKind(node.kind),
            node.endpoint or "",
            node.public_endpoint,
            node.region or "",
            node.access_key or "",
            secret,
            node.sts_endpoint,
            node.role_arn,
            node.external_id,
            node.may_deny_sessions,
        )

    def open(self, allowed: AllowedAddresses) -> SessionDriver:
        """Nothing is asked of the server yet."""
        s3 = Connection(ServerAccess(self.endpoint, self.region, self.access_key, self.secret), allowed)
        if self.kind is NodeKind.MINIO_PLAIN:
            return PlainMinioDriver(s3)
        sts_access = ServerAccess(self.sts_endpoint or "", self.region, self.access_key, self.secret)
        iam_access = ServerAccess(IAM_ADDRESS, IAM_REGION, self.access_key, self.secret)
        role = Role(self.role_arn or "", self.external_id)
        return AwsDriver(Connection(sts_access, allowed), s3, Connection(iam_access, allowed), role)
