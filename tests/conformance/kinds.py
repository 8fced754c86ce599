"""The kinds of nodes that one suite is run over: how each is added, and how what lies there is seen without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from servers.s3_server import S3Server
from servers.service import Person

Objects = dict[str, bytes]


class Place(Protocol):
    """A node's bucket as it is without WorkspacesIO."""

    bucket: str

    def put(self, key: str, data: bytes) -> None: ...

    def objects(self) -> Objects: ...


@dataclass(frozen=True)
class FolderPlace:
    bucket: str
    folder: str

    def put(self, key: str, data: bytes) -> None:
        path = os.path.join(self.folder, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def objects(self) -> Objects:
        """Every file, hidden ones too, but for the node's own staging folder at its root."""
        found: Objects = {}
        for path, folders, files in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith(".wio")]
            for name in files:
                with open(os.path.join(path, name), "rb") as file:
                    found[os.path.relpath(os.path.join(path, name), self.folder)] = file.read()
        return found


@dataclass(frozen=True)
class ServerPlace:
    """`s3`: a boto3 client with the root user's keys."""

    bucket: str
    s3: Any

    def put(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def objects(self) -> Objects:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}


@dataclass(frozen=True)
class Ground:
    """Where nodes are added: paths that folder nodes may lie under, a server, and who adds them."""

    administrator: Person
    folder: str
    server: S3Server


@dataclass(frozen=True)
class Kind:
    """`column`: its heading in docs/abilities.md. `add` makes a bucket and the node of this name over it."""

    name: str
    column: str
    add: Callable[[Ground, str], Place]


def _add_folder(ground: Ground, name: str) -> Place:
    folder = os.path.join(ground.folder, name)
    os.makedirs(folder)
    ground.administrator.wio("node", "add", "folder", name, folder, "--bucket", f"bucket-{name}")
    return FolderPlace(f"bucket-{name}", folder)


def _add_folder_of_buckets(ground: Ground, name: str) -> Place:
    folder = os.path.join(ground.folder, name)
    os.makedirs(os.path.join(folder, f"bucket-{name}"))
    ground.administrator.wio("node", "add", "folder", name, folder, "--buckets")
    return FolderPlace(f"bucket-{name}", os.path.join(folder, f"bucket-{name}"))


def _add_minio(ground: Ground, name: str) -> Place:
    server = ground.server
    return _added(
        ground, name, ["minio", name, "--endpoint", server.endpoint], server.access_key, server.secret_key
    )


def _add_plain_minio(ground: Ground, name: str) -> Place:
    return _added(ground, name, ["minio", name, "--endpoint", ground.server.endpoint, "--plain"], *PLAIN_USER)


def _add_role(ground: Ground, name: str) -> Place:
    """MinIO's STS stands in for AWS's: it issues sessions to its users, whatever role is named."""
    addresses = ["--sts-endpoint", ground.server.endpoint, "--s3-endpoint", ground.server.endpoint]
    role = ["--role-arn", "arn:aws:iam::123456789012:role/workspacesio", "--region", "us-east-1"]
    return _added(ground, name, ["aws", name, *addresses, *role], *PLAIN_USER)


PLAIN_USER = ("backend", "backendbackend")
"""Key and secret of a user whose only policy is the server's own `readwrite`."""


def _added(ground: Ground, name: str, node: list[str], access_key: str, secret: str) -> Place:
    s3 = ground.server.boto3_client()
    s3.create_bucket(Bucket=f"bucket-{name}")
    line = ["node", "add", *node, "--access-key", access_key, "--secret-stdin"]
    ground.administrator.wio(*line, stdin=secret + "\n")
    return ServerPlace(f"bucket-{name}", s3)


KINDS = (
    Kind("folder", "folder", _add_folder),
    Kind("minio", "MinIO server", _add_minio),
    Kind("plain", "MinIO server, plain user", _add_plain_minio),
    Kind("aws", "AWS", _add_role),
)
FOLDER_OF_BUCKETS = Kind("buckets", "folder of buckets", _add_folder_of_buckets)
"""The same driver as `folder`: tried out where it differs, in its abilities."""
