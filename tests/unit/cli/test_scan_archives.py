"""`jwtleak scan` on archives, as a user runs it."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile

import pytest
from archive_fixtures import PACK, make_ar, make_cpio, make_tar
from minting import jws, sha256


def line(token: str, n: int = 0) -> str:
    """A line of an access log with a token in its URL."""
    return f'10.0.0.{n % 256} - - [15/Jan/2026:11:59:30 +0000] "GET /cb?access_token={token} HTTP/1.1" 200 {n}\n'  # noqa: E501


def packed(name: str, data: bytes) -> bytes:
    """`data` in an archive of the kind that `name` ends in."""
    room = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("in/side.log", data)
    elif name.endswith(".tar"):
        with tarfile.open(fileobj=room, mode="w") as archive:
            info = tarfile.TarInfo("in/side.log")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    else:
        return gzip.compress(data)
    return room.getvalue()


@pytest.mark.parametrize(
    ("name", "member"), [("a.gz", None), ("a.zip", "in/side.log"), ("a.tar", "in/side.log")]
)
def test_archives(scan, work, name, member):
    """Archives are opened by content; offsets and lines are those of the member."""
    (work / "renamed").write_bytes(packed(name, f"one\n{line(jws())}".encode()))
    (alert,) = scan("renamed").alerts
    assert alert["location"].get("member") == member
    assert (alert["location"]["line"], alert["token"]["sha256"]) == (2, sha256(jws()))


@pytest.mark.parametrize(("codec", "suffix"), [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")])
def test_debian_package(scan, work, codec, suffix):
    """A package is opened down to the files inside it, through a pipe as well; a script that
    installs it is one of them.
    """
    data = make_tar({"./etc/app.conf": f"one\n{line(jws())}".encode()})
    control = make_tar({"./postinst": f"#!/bin/sh\n# {jws({'b': 1})}\n".encode()})
    package = make_ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar.{suffix}": PACK[codec](control),
            f"data.tar.{suffix}": PACK[codec](data),
        }
    )
    (work / "x.deb").write_bytes(package)
    expected = [
        (f"control.tar.{suffix}!./postinst", sha256(jws({"b": 1}))),
        (f"data.tar.{suffix}!./etc/app.conf", sha256(jws())),
    ]
    for result in (scan("x.deb"), scan("-", stdin=package)):
        found = [(a["location"]["member"], a["token"]["sha256"]) for a in result.alerts]
        assert (sorted(found), result.err) == (sorted(expected), "")


def test_initramfs(scan, work):
    """A compressed cpio is one archive; the names in it are shown like those of a tar."""
    packed = PACK["zstd"](make_cpio({"etc/app.conf": f"one\n{line(jws())}".encode()}))
    (work / "initrd.img").write_bytes(packed)
    (alert,) = scan("initrd.img", "--max-depth", "1").alerts
    assert (alert["location"]["member"], alert["location"]["line"]) == ("etc/app.conf", 2)


def test_truncated_archive(scan, work):
    """What could be read of a truncated archive is reported, and that the rest could not: status 1,
    or 3 if clean.
    """
    whole = gzip.compress((line(jws()) + os.urandom(200_000).hex()).encode())
    (work / "cut.gz").write_bytes(whole[: len(whole) // 2])
    result = scan(".")
    assert (result.status, len(result.alerts)) == (1, 1)
    assert "./cut.gz: truncated: " in result.err
    cut = gzip.compress(os.urandom(200_000))
    (work / "cut.gz").write_bytes(cut[: len(cut) // 2])
    assert scan(".").status == 3


def test_bomb(scan, work):
    """An archive that unfolds beyond a limit is stopped there, and told."""
    (work / "bomb.gz").write_bytes(gzip.compress(bytes(70 << 20)))
    limited = scan("--max-archive-bytes", "1m", ".")
    assert (limited.status, limited.out) == (3, b"")
    assert "./bomb.gz: bomb: " in limited.err
    assert "./bomb.gz: bomb: " in scan("--max-ratio", "10", ".").err


def test_depth(scan, work):
    """Archives nested deeper than `--max-depth` are told."""
    (work / "deep").write_bytes(packed("a.zip", packed("a.zip", line(jws()).encode())))
    assert scan(".").status == 1
    shallow = scan("--max-depth", "1", ".")
    assert "archives nested too deep" in shallow.err
