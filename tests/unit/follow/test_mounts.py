"""Remote file systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jwtleak.follow import mounts
from jwtleak.follow.mounts import is_remote, parse, remote_type, type_of

TABLE = """\
22 27 0:21 / /proc rw,nosuid - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
40 27 0:52 / /mnt/my\\040logs rw shared:2 master:1 - nfs4 server:/logs rw,vers=4.2
41 27 0:53 / /data rw - btrfs /dev/sdb rw
bad line
"""


def test_the_table() -> None:
    """Device, mount point and type, with any number of optional fields, and blanks in names."""
    assert parse(TABLE)[1:] == [
        ("259:2", "/", "ext4"),
        ("0:52", "/mnt/my logs", "nfs4"),
        ("0:53", "/data", "btrfs"),
    ]


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "fuse", "ceph", "virtiofs"]
)
def test_remote(kind: str) -> None:
    """Other hosts write there."""
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "overlay", "tmpfs", "xfs", "zfs", "fuseblk", ""])
def test_local(kind: str) -> None:
    """Only this kernel does, or nobody knows."""
    assert not is_remote(kind)


def test_by_device_and_by_path(tmp_path: Path) -> None:
    """The device decides; for an unknown one, the nearest mount point above."""
    device = os.stat(tmp_path).st_dev
    own = f"{os.major(device)}:{os.minor(device)}"
    assert type_of(str(tmp_path), [(own, "/nowhere", "nfs")]) == "nfs"
    assert type_of(str(tmp_path), [("x", "/", "ext4"), ("y", str(tmp_path), "btrfs")]) == "btrfs"
    assert type_of(str(tmp_path), [("y", str(tmp_path) + "x", "btrfs")]) == ""
    assert type_of(str(tmp_path / "none"), parse(TABLE)) == ""


def test_without_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the system has none everything is local."""
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "none")
    assert remote_type(str(tmp_path)) == ""


def test_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The table of this machine is read; one that calls its file systems remote is believed."""
    assert remote_type("/proc") == ""
    device = os.stat(tmp_path).st_dev
    table = tmp_path / "table"
    table.write_text(f"1 2 {os.major(device)}:{os.minor(device)} / / rw - nfs4 x rw\n")
    monkeypatch.setattr(mounts, "_TABLE", table)
    assert remote_type(str(tmp_path)) == "nfs4"
