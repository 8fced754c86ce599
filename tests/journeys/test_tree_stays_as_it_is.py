"""Importing, listing, reading and sharing leave every byte, name, time, mode, owner and attribute as it was."""

from __future__ import annotations

import os
import stat
import subprocess

from servers.clients import CLIENTS
from servers.installed import installed
from servers.service import Service


def picture(folder: str) -> dict[str, tuple[object, ...]]:
    """Everything that could be altered, of everything in the folder, the folder itself included."""
    found: dict[str, tuple[object, ...]] = {}
    for path, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            whole = os.path.normpath(os.path.join(path, name))
            status = os.lstat(whole)
            content = None
            if stat.S_ISREG(status.st_mode):
                descriptor = os.open(whole, os.O_RDONLY | os.O_NOATIME)
                with os.fdopen(descriptor, "rb") as file:
                    content = file.read()
            attributes = {
                key: os.getxattr(whole, key, follow_symlinks=False)
                for key in os.listxattr(whole, follow_symlinks=False)
            }
            found[whole] = (
                content,
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                status.st_ino,
                status.st_nlink,
                tuple(sorted(attributes.items())),
            )
    return found


def test_import_list_read_and_share_alter_nothing(running: Service, tree: str) -> None:
    plates = os.path.join(tree, "plates")
    os.chown(os.path.join(plates, "raw", "a0"), 12345, 23456)
    os.chmod(os.path.join(plates, "raw", "a0"), 0o640)
    os.setxattr(os.path.join(plates, "raw", "a0"), "user.lab", b"kept")
    os.symlink("raw/a0", os.path.join(plates, "link"))
    before = picture(tree)

    ada = running.administrator()
    bob = running.colleague("bob")
    ada.wio("root", "import", "existing", "--all", "--owner", "ada", "--dry-run")
    ada.wio("root", "import", "existing", "--all", "--owner", "ada")
    ada.wio("share", "plates", "bob")
    credential = bob.token("ada/plates")
    covered = credential["workspaces"][0]
    for make in CLIENTS.values():
        client = make(credential)
        for key in client.list(covered["bucket"], covered["prefix"]):
            client.read(covered["bucket"], key)
    ada.wio("unshare", "plates", "bob")
    running.restart()

    after = picture(tree)
    staging = {path for path in after if "/.workspacesio" in path}
    assert {path: seen for path, seen in after.items() if path not in staging} == before


def test_an_overwritten_file_keeps_owner_group_mode_and_acl(running: Service, tree: str) -> None:
    target = os.path.join(tree, "plates", "2026-01", "plate-1.csv")
    os.chown(target, 12345, 23456)
    os.chmod(target, 0o664)
    subprocess.run([installed("setfacl"), "-m", "u:54321:rw", target], check=True)
    os.setxattr(target, "user.lab", b"kept")
    before = os.stat(target)
    acl = os.getxattr(target, "system.posix_acl_access")

    ada = running.administrator()
    ada.wio("root", "import", "existing", "plates", "--owner", "ada")
    credential = ada.token("plates")
    covered = credential["workspaces"][0]
    CLIENTS["boto3"](credential).write(
        covered["bucket"], covered["prefix"] + "2026-01/plate-1.csv", b"new content"
    )

    after = os.stat(target)
    with open(target, "rb") as file:
        assert file.read() == b"new content"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert os.getxattr(target, "system.posix_acl_access") == acl
    assert os.getxattr(target, "user.lab") == b"kept"
