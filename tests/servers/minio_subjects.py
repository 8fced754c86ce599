"""Users, groups and policies made on a real MinIO by its own client, apart from the product's code."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from servers.installed import installed
from servers.s3_server import S3Server
from servers.signed_connection import Answer, Keys, SignedConnection

DENY_NOTHING_ALLOWED = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": ["admin:*"]}]}, separators=(",", ":")
)


class MinioSubjects:
    """The administrator's side. `folder` is for mc's configuration."""

    def __init__(self, server: S3Server, folder: str) -> None:
        self.server = server
        self._folder = folder
        parts = urlsplit(server.endpoint)
        self._env = {**os.environ, "MC_HOST_x": f"http://{server.access_key}:{server.secret_key}@{parts.netloc}"}
        self.root = SignedConnection(server.endpoint, Keys(server.access_key, server.secret_key))

    def mc(self, *arguments: str) -> str:
        done = subprocess.run(
            [installed("mc"), "--config-dir", self._folder, "--json", *arguments],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_policy(self, name: str, document: str) -> None:
        answer = self.root.send(
            "PUT", "/minio/admin/v3/add-canned-policy", [("name", name)], body=document.encode()
        )
        assert answer.status == 200, (answer, document)

    def read_policy(self, name: str) -> str:
        answer = self.root.send("GET", "/minio/admin/v3/info-canned-policy", [("name", name)])
        assert answer.status == 200, answer
        return answer.body.decode()

    def add_user(self, name: str, policies: Sequence[str] = ()) -> None:
        """The secret is the name, twice. Policies must exist."""
        self.mc("admin", "user", "add", "x", name, name * 2)
        if policies:
            self.mc("admin", "policy", "attach", "x", *policies, "--user", name)

    def add_group(self, name: str, members: Iterable[str], policies: Sequence[str]) -> None:
        self.mc("admin", "group", "add", "x", name, *members)
        self.mc("admin", "policy", "attach", "x", *policies, "--group", name)

    def assume_role(self, user: str, *, seconds: int = 3600, policy: str | None = None) -> Keys:
        """Short-lived keys of a user that `add_user` made."""
        answer = assume_role(self.server.endpoint, Keys(user, user * 2), seconds=seconds, policy=policy)
        assert answer.status == 200, answer
        return keys_in(answer)


def assume_role(endpoint: str, keys: Keys, *, seconds: int = 3600, policy: str | None = None) -> Answer:
    """MinIO's STS: a form, signed for the service `sts`."""
    form = f"Action=AssumeRole&Version=2011-06-15&DurationSeconds={seconds}"
    if policy is not None:
        form += "&Policy=" + quote(policy, safe="")
    connection = SignedConnection(endpoint, keys)
    try:
        headers = [("Content-Type", "application/x-www-form-urlencoded")]
        return connection.send("POST", "/", body=form.encode(), headers=headers, service="sts")
    finally:
        connection.close()


def keys_in(answer: Answer) -> Keys:
    found = [
        re.search(f"<{name}>(.*?)</{name}>", answer.body.decode())
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    ]
    assert all(found), answer
    return Keys(*(match[1] for match in found if match))
