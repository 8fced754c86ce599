"""Objects of a node that are deleted, many at once."""

from __future__ import annotations

import base64
import hashlib

from workspacesio.client.errors import CommandError
from workspacesio.client.s3_documents import errors_of
from workspacesio.client.s3_requests import NodeStorage, S3Refused
from workspacesio.client.signature import Request


def delete(storage: NodeStorage, bucket: str, keys: list[str]) -> list[tuple[str, str]]:
    """Up to 1,000 at once; those that could not be deleted, and why. Raises S3Refused, CommandError.

    XML has no control characters, so that such keys are deleted one by one.
    """
    plain = [key for key in keys if key.isprintable()]
    refused = _delete_at_once(storage, bucket, plain) if plain else []
    for key in keys:
        if not key.isprintable():
            try:
                storage.read(Request("DELETE", bucket, key))
            except S3Refused as error:
                refused.append((key, str(error)))
    return refused


def _delete_at_once(storage: NodeStorage, bucket: str, keys: list[str]) -> list[tuple[str, str]]:
    from xml.sax.saxutils import escape  # it loads much that nothing else needs

    listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    body = f"<Delete><Quiet>true</Quiet>{listed}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    request = Request("POST", bucket, query=[("delete", "")], headers={"Content-MD5": digest}, body=body)
    _, content = storage.read(request)
    try:
        return errors_of(content)
    except ValueError as error:
        raise CommandError(f"{storage.endpoint} doesn't delete as S3 does ({error}).") from error
