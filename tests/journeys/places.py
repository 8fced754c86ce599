"""Where a client works: a workspace, and a credential for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config

from servers.service import Person


@dataclass(frozen=True)
class Place:
    """Plain data: it goes to client processes as it is."""

    credential: dict[str, Any]
    bucket: str
    prefix: str

    def key(self, name: str) -> str:
        return self.prefix + name

    def client(self, *, attempts: int = 1, timeout: float = 60, verify: str | bool | None = None) -> Any:
        """A boto3 client of its own, which may be made in any thread. Without attempts more than one, it shows
        every refusal and every broken connection."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.credential["endpoint"],
            region_name=self.credential["region"],
            aws_access_key_id=self.credential["access_key_id"],
            aws_secret_access_key=self.credential["secret_access_key"],
            aws_session_token=self.credential["session_token"],
            verify=verify,
            config=botocore.config.Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": attempts, "mode": "standard"},
                connect_timeout=10,
                read_timeout=timeout,
            ),
        )


def own_workspace(person: Person, name: str) -> Place:
    """A new workspace, and a credential that reaches it."""
    person.wio("create", name)
    return place_of(person, name)


def place_of(person: Person, workspace: str, *options: str) -> Place:
    credential = person.token(workspace, *options)
    covered = credential["workspaces"][0]
    return Place(credential, covered["bucket"], covered["prefix"])
