"""docs/abilities.md from the abilities that the drivers of nodes declare, the same that `wio node show` prints."""

from __future__ import annotations

import dataclasses
import os
import tempfile

from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.values import Abilities, Durability

INTRODUCTION = """\
# What each kind of node can do

<!-- Written by scripts/generate-docs from the drivers' own words. -->

`wio node show NODE` prints the same of one node, and the answer that holds keys names it as `abilities`. Why a MinIO
server can't do some of it is said in [MinIO servers](minio.md).

"""

MEANINGS = {
    "immediate_revocation": "un-share, disabling a user and deleting a workspace are refused on the next request, "
    "once they are `enforced`; expiry at its time",
    "one_credential_for_all": "one credential covers everything that its holder reaches on the node",
    "ends_single_credentials": "`wio credential revoke`, signing out and ending an API key end the keys in question "
    "alone; elsewhere all keys of the user on that node",
    "lists_uploads": "S3 clients can list the uploads that are under way in what they may write",
    "streams_events": "`wio mc watch`, `mirror --watch` and `find --watch`",
    "creates_buckets": "the operator's keys make and delete buckets through S3",
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
    return {**folders, "MinIO server": MinioDriver.abilities}
