"""A process of the service that shares a workspace and takes it back, again and again, beside others.

Run as a script with the database's address, a folder, the workspace's id and a number of rounds. After each
change that was answered as enforced it looks with keys from before whether it is so, and prints at the end how
often it looked. Anything else ends it with an error.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from services.minio_service import MinioService
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Workspace
from workspacesio.services.node_effects import settle_one


def toggle(url: str, folder: str, workspace_id: int, rounds: int) -> None:
    service = MinioService(Database(url), Path(folder))
    with service.database.read() as session:
        workspace = session.get_one(Workspace, workspace_id)
    hand = service.keys("bob")
    looked = 0
    for _ in range(rounds):
        changed = service.share("ada", workspace, "bob", "readwrite")
        if settle_one(service, changed) == "enforced":
            assert hand.rights(workspace) == "lrw", "shared and told, and not there"
            looked += 1
        changed = service.unshare("ada", workspace, "bob")
        if settle_one(service, changed) == "enforced":
            assert hand.rights(workspace) == "", "taken back and told, and still there"
            looked += 1
        time.sleep(0.01)
    print(looked)
    service.database.dispose()


if __name__ == "__main__":
    toggle(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
