"""Which file systems other hosts write to: the local kernel makes no events for those changes.

Promises: a file system that cannot be identified counts as local. Missing events are made up for by
polling, only later.
"""

from __future__ import annotations

import os
from pathlib import Path

# File systems whose files change without the local kernel's knowledge. overlay, tmpfs, zfs and
# btrfs are local.
REMOTE = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "fhgfs", "gfs2", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3"),
        *("smbfs", "vboxsf", "virtiofs", "vmhgfs"),
    )
)
_TABLE = Path("/proc/self/mountinfo")


def _unescape(text: str) -> str:
    """Decode the octal blanks and backslashes of mountinfo (proc_pid_mountinfo(5))."""
    return (
        text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
    )


def parse(table: str) -> list[tuple[str, str, str]]:
    """Return (device as `major:minor`, mount point, type) of every mount, oldest first."""
    mounts = []
    for line in table.splitlines():
        # A variable number of optional fields precedes the dash: count from both ends.
        left, dash, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if dash and len(fields) >= 5 and kinds:
            mounts.append((fields[2], _unescape(fields[4]), kinds[0]))
    return mounts


def is_remote(kind: str) -> bool:
    """Return whether other hosts may change the files of a type.

    fuseblk is a local disk; other FUSE types may be anything.
    """
    return kind in REMOTE or (kind.startswith("fuse") and kind != "fuseblk")


def type_of(path: str, mounts: list[tuple[str, str, str]]) -> str:
    """Return the type of the file system that a path is on; empty when it is unknown."""
    try:
        device = os.stat(path).st_dev
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for number, _, kind in mounts:
        if number == wanted:
            return kind
    # The device of a btrfs subvolume is not in the table: the longest mount point above it is.
    # A link is on the file system that it leads to.
    real = os.path.realpath(path)
    above = [
        mount
        for mount in mounts
        if mount[1] == "/" or real == mount[1] or real.startswith(mount[1] + "/")
    ]
    return max(above, key=lambda mount: len(mount[1]))[2] if above else ""


def remote_type(path: str) -> str:
    """Return the type of the remote file system that a path is on; empty for a local one."""
    try:
        table = _TABLE.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
    kind = type_of(path, parse(table))
    return kind if is_remote(kind) else ""
