"""A MinIO server with the key of a plain user: sessions of that user are all that it is asked for."""

from minio import Minio
from minio.credentials.providers import StaticProvider

from workspacesio.domain.s3_policies import Language
from workspacesio.nodes.minio.connection import Connection
from workspacesio.nodes.minio.driver import ServerStorage
from workspacesio.nodes.minio.sts import Keys, assume_role
from workspacesio.nodes.sessions.issuer import SESSION_ABILITIES


class PlainMinioDriver(ServerStorage):
    """Implements `SessionIssuer`. One in each process and node."""

    abilities = SESSION_ABILITIES
    language = Language.MINIO

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.connection = connection

    def issue(self, *, session_name: str, seconds: int, policy: str) -> Keys:  # noqa: ARG002
        """MinIO's sessions have no names."""
        access = self.connection.access
        return assume_role(
            self.connection, user=access.access_key, secret=access.secret, seconds=seconds, policy=policy
        )

    def s3_with(self, keys: Keys) -> Minio:
        provider = StaticProvider(keys.access_key_id, keys.secret_access_key, keys.session_token)
        return self.connection.s3_with(provider)
