"""docs/abilities.md from the abilities that the drivers of nodes declare, the same that `wio node show` prints."""

from __future__ import annotations

import dataclasses
import os
import tempfile

from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.sessions.issuer import SESSION_ABILITIES
from workspacesio.nodes.values import Abilities, Durability

INTRODUCTION = """\
# What each kind of node can do

<!-- Written by scripts/generate-docs from the drivers' own words; tests/conformance tries each of them out. -->

`wio node show NODE` prints the same of one node, and the answer that holds keys names it as `abilities`. Why a MinIO
server can't do some of it is said in [MinIO servers](minio.md).

"""

MEANINGS = {
    "immediate_revocation": "un-share, disabling a user and deleting a workspace are refused on the next request, "
    "once they are `enforced`; elsewhere keys of before go on until they expire, and commands say when that is. The end of "
    "a share with `--expires` holds everywhere, at its time",
    "one_credential_for_all": "one credential covers everything that its holder reaches on the node; where it holds a "
    "session policy, as far as that fits 2,048 characters, and is refused with what to do beyond",
    "ends_single_credentials": "`wio credential revoke`, signing out and ending an API key end the keys in question "
    "alone; elsewhere all keys of the user on that node, or, where nothing is revoked at once, none",
    "lists_uploads": "S3 clients can list the uploads that are under way in what they may write",
    "streams_events": "S3 clients can watch what they may read: `wio mc mirror --watch` and `find --watch`; `wio mc watch` "
    "follows the events of WorkspacesIO itself elsewhere",
    "creates_buckets": "the operator's keys make and delete buckets through S3",
    "enforces_quotas": "a write that would pass a limit in bytes or objects is refused",
    "hides_names": "nobody learns names or sizes outside their sight, whatever their client sends",
    "shares_any_name": "folders whose name holds `*`, `?` or `${`, or ends in `.zip`, are imported and shared by "
    "themselves; elsewhere that is refused, and a folder above them is shared",
    "refuses_uploads_under_way": "an upload that is being sent when access ends doesn't become visible; elsewhere one "
    "that was begun in a single request does",
}


def markdown() -> str:
    kinds = _kinds()
    names = [field.name for field in dataclasses.fields(Abilities)]
    if set(names) != set(MEANINGS):
        raise ValueError(f"say what these abilities mean: {set(names) ^ set(MEANINGS)}")
    lines = [f"| | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, meaning in MEANINGS.items():
        cells = ["yes" if getattr(abilities, name) else "no" for abilities in kinds.values()]
        lines.append(f"| **{name.replace('_', ' ')}**: {meaning} | {' | '.join(cells)} |")
    return INTRODUCTION + "\n".join(lines) + "\n"


def _kinds() -> dict[str, Abilities]:
    with tempfile.TemporaryDirectory() as folder:
        data, state = os.path.join(folder, "data"), os.path.join(folder, "state")
        os.makedirs(data)
        os.makedirs(state)
        folders = {
            title: FolderDriver(1, data, layout, bucket, state, durability=Durability.PROCESS).abilities
            for title, layout, bucket in (
                ("folder", FolderLayout.BUCKET, "data"),
                ("folder of buckets", FolderLayout.BUCKETS, None),
            )
        }
    return {
        **folders,
        "MinIO server": MinioDriver.abilities,
        "MinIO server, plain user": SESSION_ABILITIES,
        "AWS": SESSION_ABILITIES,
    }
