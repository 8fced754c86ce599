"""A key with an hour to live on a real MinIO, and all that must be on the server afterwards as it was before.

The key belongs to a user who may write `mine/` in a bucket, with documents as the product writes them.
"""

from __future__ import annotations

import http.client
import os
import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.config import Config

from servers.installed import installed
from servers.minio_subjects import MinioSubjects
from servers.s3_server import S3Server
from servers.signed_connection import Answer, Keys, SignedConnection
from workspacesio.domain.grants import Grant

USER, NEIGHBOUR = "short-lived", "neighbour"
MINE = Grant("lab", "mine/", writes=True)
LOCKABLE = Grant("lockable", "mine/", writes=True)
"""In a bucket whose objects can be held: what is held outlives whoever held it."""


@dataclass
class Lab:
    server: S3Server
    subjects: MinioSubjects
    folder: str
    keys: Keys
    narrowed: Keys

    @property
    def root(self) -> Keys:
        return Keys(self.server.access_key, self.server.secret_key)

    def client(self, keys: Keys) -> SignedConnection:
        return SignedConnection(self.server.endpoint, keys, timeout=10)

    def send(self, keys: Keys, method: str, path: str, query: str = "", **more: object) -> Answer:
        connection = self.client(keys)
        try:
            pairs = parse_qsl(query, keep_blank_values=True)
            return connection.send(method, path, pairs, **more)  # type: ignore[arg-type]
        finally:
            connection.close()

    def mc(self, keys: Keys, *arguments: str) -> subprocess.CompletedProcess[str]:
        """mc as the holder of the key; the alias is `me`."""
        token = f":{keys.token}" if keys.token else ""
        host = f"http://{keys.access_key}:{keys.secret_key}{token}@{urlsplit(self.server.endpoint).netloc}"
        command = [installed("mc"), "--config-dir", self.folder, "--json", *arguments]
        env = {**os.environ, "MC_HOST_me": host}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def state(self) -> dict[str, object]:
        """All that decides about rights on the server, and what lies outside `mine/`."""

        def admin(*arguments: str) -> list[str]:
            return sorted(self.subjects.mc("admin", *arguments).splitlines())

        settings = [
            self.subjects.root.send("GET", "/lab", [(name, "")])
            for name in (
                "policy",
                "lifecycle",
                "notification",
                "replication",
                "versioning",
                "encryption",
                "tagging",
            )
        ]
        listed = self.subjects.root.send("GET", "/lab", [("list-type", "2")]).body.decode()
        keys = [part.split("</Key>")[0] for part in listed.split("<Key>")[1:]]
        return {
            "users": admin("user", "ls", "x"),
            "access keys": admin("accesskey", "ls", "x", "--all", "--svcacc-only"),
            "groups": admin("group", "info", "x", "lab"),
            "policies": admin("policy", "ls", "x"),
            "document": self.subjects.read_policy("short-lived-1"),
            "buckets": _names(self.subjects.root.send("GET", "/").body.decode()),
            "settings": [(answer.status, answer.code) for answer in settings],
            "configuration": admin("config", "get", "x", "identity_openid"),
            "outside": [key for key in keys if not key.startswith("mine/")],
        }


def _names(document: str) -> list[str]:
    return [part.split("</Name>")[0] for part in document.split("<Name>")[1:]]


def boto3_of(lab: Lab, keys: Keys) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=lab.server.endpoint,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def followed(link: str) -> int:
    parts = urlsplit(link)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}")
    status = connection.getresponse().status
    connection.close()
    return status
