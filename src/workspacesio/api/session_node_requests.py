"""Adding nodes whose servers issue sessions: what is asked for, and how it is tried and added."""

from typing import Literal

from workspacesio.api.dependencies import Call
from workspacesio.api.fields import Body, Line, Name, Secret
from workspacesio.database.tables import Node
from workspacesio.services.session_nodes import add_session_node, aws_server, check_session_server, plain_server
from workspacesio.services.session_servers import SessionServer


class PlainMinioRequest(Body):
    """A MinIO server, by the key of a user without administration rights. Addresses are as for `minio`."""

    kind: Literal["minio-plain"]
    name: Name
    endpoint: Line
    public_endpoint: Line | None = None
    region: Name | None = None
    access_key: Name
    secret_key: Secret
    read_only: bool = False

    def server(self) -> SessionServer:
        return plain_server(
            endpoint=self.endpoint,
            public_endpoint=self.public_endpoint,
            region=self.region,
            access_key=self.access_key,
            secret=self.secret_key.get_secret_value(),
        )


class AwsRequest(Body):
    """S3 by a role that `access_key` may assume. Without addresses those of AWS in the region.

    `may_deny_sessions`: the role may write a policy of its own that refuses keys from before a moment.
    """

    kind: Literal["aws"]
    name: Name
    role_arn: Line
    region: Name
    sts_endpoint: Line | None = None
    s3_endpoint: Line | None = None
    external_id: Line | None = None
    access_key: Name
    secret_key: Secret
    may_deny_sessions: bool = False
    read_only: bool = False

    def server(self) -> SessionServer:
        return aws_server(
            role_arn=self.role_arn,
            region=self.region,
            sts_endpoint=self.sts_endpoint,
            s3_endpoint=self.s3_endpoint,
            external_id=self.external_id,
            access_key=self.access_key,
            secret=self.secret_key.get_secret_value(),
            may_deny_sessions=self.may_deny_sessions,
        )


def add_session_server(call: Call, wanted: PlainMinioRequest | AwsRequest, *, by_administrator: bool) -> Node:
    server = wanted.server()
    check_session_server(call.visit.context, server, by_administrator=by_administrator)
    with call.write() as (session, actor, now):
        return add_session_node(
            session,
            actor=actor,
            keyring=call.visit.context.keyring,
            name=wanted.name,
            server=server,
            read_only=wanted.read_only,
            now=now,
        )
