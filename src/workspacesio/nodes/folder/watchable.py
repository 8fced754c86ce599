"""Which filesystems tell of everything that happens in them: those that no other machine can change.

On a network filesystem, and on one that a program provides, the kernel hears only what this machine does.
"""

from workspacesio.nodes.folder import filesystem

OVERLAY = 0x794C7630
JFS = 0x3153464A
REISER = 0x52654973
NTFS3 = 0x7366746E
EXFAT = 0x2011BAB0
FAT = 0x4D44
NILFS = 0x3434
RAMFS = 0x858458F6

WATCHABLE_KINDS = filesystem.LOCAL_KINDS | {OVERLAY, JFS, REISER, NTFS3, EXFAT, FAT, NILFS, RAMFS}

_NAMES = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x0BD00BD3: "Lustre",
    0x47504653: "GPFS",
    0x5346414F: "AFS",
    0x19830326: "BeeGFS",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
}
"""f_type of statfs(2), as linux/magic.h and the filesystems' own sources have it."""


def why_not_watched(kind: int) -> str | None:
    """A sentence, or None where a filesystem of this kind can be watched."""
    kind &= 0xFFFFFFFF
    if kind in WATCHABLE_KINDS:
        return None
    name = _NAMES.get(kind, f"kind {kind:x}")
    return f"A filesystem of this kind ({name}) doesn't tell what other machines change in it; crawls find it."
