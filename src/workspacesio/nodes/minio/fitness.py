"""Whether a server, with the keys that were given, can be a node: one sentence for each thing that is missing."""

import contextlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import Absent, NotPermitted, RequestRefused
from workspacesio.nodes.minio.names import document_name, everyone_name, user_name

MAX_CLOCK_DIFFERENCE = timedelta(seconds=30)
MENDED_RELEASE = "2025-10-15"
_RELEASE = re.compile(r"\d{4}-\d{2}-\d{2}T")

ADMINISTRATION_ACTIONS = (
    "admin:AddUserToGroup",
    "admin:AttachUserOrGroupPolicy",
    "admin:CreatePolicy",
    "admin:CreateUser",
    "admin:DeletePolicy",
    "admin:DeleteUser",
    "admin:EnableGroup",
    "admin:EnableUser",
    "admin:GetGroup",
    "admin:GetPolicy",
    "admin:GetUser",
    "admin:ListGroups",
    "admin:ListUserPolicies",
    "admin:ListUsers",
    "admin:ServerInfo",
)
"""What the node's key needs besides reading, listing and deleting in the buckets that it manages. The server asks
for the right to add members when they are removed, too."""

NAMES_WARNING = (
    "Who holds a share in a bucket of a MinIO server can find out names of other objects in that bucket, never "
    "what is in them; give people who must not know of each other's names buckets of their own."
)
"""The server takes the prefix of a listing that its policies ask about from a header, too."""

_PROBE = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["admin:*"]}]}'
_PROBE_NUMBER = 0
"""The number of no user and no group."""


def clock_problem(server: datetime | None, here: datetime) -> str | None:
    """Expiries are kept by the server's clock."""
    if server is None:
        return "The server doesn't say what time it has."
    difference = abs(server - here)
    if difference <= MAX_CLOCK_DIFFERENCE:
        return None
    return (
        f"The server's clock and this one's differ by {int(difference.total_seconds())} s, and shares would end "
        "at the wrong time; set both by NTP."
    )


def release_warnings(version: str) -> tuple[str, ...]:
    """What is worth knowing of this release of the server."""
    found = [NAMES_WARNING]
    if not _RELEASE.match(version):
        found.append(
            "The server doesn't tell its release; make sure that it is from October 2025 or later "
            "(GHSA-jjjj-jwhf-8rgr)."
        )
    elif version < MENDED_RELEASE:
        found.append(
            f"The server's release of {version[:10]} lets narrowed keys out of their limits "
            "(GHSA-jjjj-jwhf-8rgr); update it to October 2025 or later."
        )
    return tuple(found)


def missing_rights(administration: Administration, prefix: str) -> list[str]:
    """Do once, with names that nobody else has, what will be done all the time; nothing of it is left.

    Raises NodeDown when the server can't be reached or doesn't know the keys.
    """
    user, group = user_name(prefix, _PROBE_NUMBER, 1), everyone_name(prefix) + "-probe"
    policy = document_name(prefix, "probe", 1)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("admin:ServerInfo", administration.server),
        ("admin:CreatePolicy", lambda: administration.put_policy(policy, _PROBE)),
        ("admin:GetPolicy", lambda: administration.policy(policy)),
        ("admin:ListUserPolicies", administration.policy_names),
        ("admin:CreateUser", lambda: administration.add_user(user, secrets.token_urlsafe(24))),
        ("admin:GetUser", lambda: administration.user(user)),
        ("admin:ListUsers", administration.user_names),
        ("admin:EnableUser", lambda: administration.enable_user(user)),
        ("admin:AddUserToGroup", lambda: administration.add_to_group(group, [user])),
        ("admin:GetGroup", lambda: administration.group(group)),
        ("admin:ListGroups", administration.group_names),
        ("admin:EnableGroup", lambda: administration.enable_group(group)),
        ("admin:AttachUserOrGroupPolicy", lambda: administration.set_user_policies(user, [policy])),
        ("admin:AttachUserOrGroupPolicy", lambda: administration.set_group_policies(group, [policy])),
    ]
    cleaning: list[tuple[str, Callable[[], object]]] = [
        ("admin:AddUserToGroup", lambda: administration.remove_from_group(group, [user])),
        ("admin:DeleteUser", lambda: administration.remove_user(user)),
        ("admin:AttachUserOrGroupPolicy", lambda: administration.set_group_policies(group, [])),
        ("admin:AddUserToGroup", lambda: administration.remove_from_group(group, [])),
        ("admin:DeletePolicy", lambda: administration.remove_policy(policy)),
    ]
    missing: list[str] = []
    try:
        missing += _refused(steps)
    finally:
        with contextlib.suppress(NodeError):
            missing += _refused(cleaning)
    return [f"The node's access key needs the right {action}." for action in dict.fromkeys(missing)]


def _refused(steps: list[tuple[str, Callable[[], object]]]) -> list[str]:
    """The actions that the key may not do. What fails because an earlier step did is passed over."""
    missing = []
    for action, step in steps:
        try:
            step()
        except NotPermitted as error:
            if error.code not in ("AccessDenied", "XMinioAdminAccessDenied"):
                raise
            missing.append(action)
        except (RequestRefused, Absent):
            continue
    return missing
