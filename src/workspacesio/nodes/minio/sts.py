"""Short-lived keys from the server's own security token service.

AssumeRole as MinIO has it: signed with the user's own keys, which become the parent of what is issued. The
answer's rights are the parent's at the time of each request, cut down by `policy` where one is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree import ElementTree

from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.connection import Connection, understood

SHORTEST_SECONDS = 900
"""The server takes no shorter duration."""

_NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


@dataclass(frozen=True, slots=True)
class Keys:
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime


def assume_role(
    connection: Connection,
    *,
    user: str,
    secret: str,
    seconds: int,
    policy: str | None = None,
    role: Mapping[str, str] | None = None,
) -> Keys:
    """`role` has the fields that name one; MinIO needs none.

    Raises NotPermitted where the server doesn't know the user or the secret, RequestRefused, NodeDown.
    """
    fields = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "DurationSeconds": str(max(seconds, SHORTEST_SECONDS)),
        **(role or {}),
    }
    if policy is not None:
        fields["Policy"] = policy
    body = connection.secure_token_service(user, secret, fields)
    try:
        # The body comes from the node's own server; ElementTree loads no external entities.
        found = ElementTree.fromstring(body).find(f"{_NAMESPACE}AssumeRoleResult/{_NAMESPACE}Credentials")  # noqa: S314
    except ElementTree.ParseError:
        found = None
    if found is None:
        raise NodeDown("The server answers as no MinIO server does.")
    with understood():
        return Keys(
            _text(found, "AccessKeyId"),
            _text(found, "SecretAccessKey"),
            _text(found, "SessionToken"),
            datetime.fromisoformat(_text(found, "Expiration")).astimezone(UTC),
        )


def _text(credentials: ElementTree.Element, name: str) -> str:
    text = credentials.findtext(_NAMESPACE + name)
    if not text:
        raise NodeDown("The server answers as no MinIO server does.")
    return text
