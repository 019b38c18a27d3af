"""Split records over a rotation."""

from __future__ import annotations

import json

import pytest
from minting import jws, sha256
from tailing import Rig, cursor, leak, name

from jwtleak.follow.interface import Moved, Opened

STAMP = b"2026-01-15T12:00:00.123456789Z "
TOKEN = jws()


def cri(stream: str, tag: str, content: str) -> bytes:
    """One CRI record."""
    return STAMP + f"{stream} {tag} {content}\n".encode()


def docker(stream: str, content: str) -> bytes:
    """One json-file record."""
    return (
        json.dumps({"log": content, "stream": stream, "time": "t"}, separators=(",", ":")).encode()
        + b"\n"
    )


def parts(kind: str, stream: str = "stdout") -> tuple[bytes, bytes]:
    """A line with TOKEN, split in the middle of it."""
    if kind == "cri":
        return cri(stream, "P", f"t={TOKEN[:-20]}"), cri(stream, "F", f"{TOKEN[-20:]} end")
    return docker(stream, f"t={TOKEN[:-20]}"), docker(stream, f"{TOKEN[-20:]} end\n")


@pytest.mark.parametrize("kind", ["cri", "docker"])
def test_a_line_that_is_split_over_a_rotation(rig: Rig, kind: str) -> None:
    """The token is found whole, in the old stream, whichever end of the rotation is seen first."""
    first, second = parts(kind)
    rig.files.open("old", b"before\n" + first)
    rig.run(0.1)
    rig.files.open("new", second + leak(2), follows="old")
    rig.run(0.1)
    assert sorted(rig.found()) == sorted([sha256(TOKEN), name(2)])
    (found,) = (one for one in rig.alerts if one["token"]["sha256"] == sha256(TOKEN))
    assert (found["location"]["path"], found["location"]["line"]) == ("/logs/old", 2)
    assert found["location"]["container"]["stream"] == "stdout"
    rig.files.end("old")
    rig.run(10)
    assert len(rig.alerts) == 2


def test_a_rotation_that_is_seen_in_two_looks(rig: Rig) -> None:
    """When the old file has left its name before the new one appears, the path tells what follows
    what.
    """
    first, second = parts("cri")
    rig.files.open("old", first)
    rig.files.events.append(Moved("old", "/logs/old.1"))
    rig.run(0.1)
    rig.files.data["new"] = second
    rig.files.events.append(Opened("new", "/logs/old", cursor("new"), len(second)))
    rig.run(0.1)
    assert rig.found() == [sha256(TOKEN)]
    rig.files.end("new")
    rig.files.end("old")
    rig.run(2)
    assert rig.loop._at == {}


def test_a_rotation_that_is_seen_after_a_restart(rig: Rig) -> None:
    """The end of the old file was reported, and is read again for what goes on in the new one."""
    first, second = parts("cri")
    rig.files.open("old", b"before\n" + first)
    rig.run(10)
    (short,) = rig.alerts
    rig.crash()
    rig.run(1)
    rig.files.open("new", second, follows="old")
    rig.run(1)
    (whole,) = rig.alerts
    assert (whole["token"]["sha256"], whole["supersedes"]) == (sha256(TOKEN), short["id"])
    rig.files.end("old")
    rig.run(10)
    assert len(rig.alerts) == 1


def test_the_other_stream_comes_between(rig: Rig) -> None:
    """Records of stderr at the beginning of the new file do not come between the parts of
    stdout.
    """
    first, second = parts("cri")
    rig.files.open("old", first)
    rig.files.open("new", cri("stderr", "P", "x") + cri("stderr", "F", "y"), follows="old")
    rig.run(0.5)
    assert rig.alerts == []
    rig.files.append("new", second)
    rig.run(0.1)
    assert rig.found() == [sha256(TOKEN)]


def test_a_truncated_file(rig: Rig) -> None:
    """The same when the old bytes are gone before the new ones come: first what is there, then the
    whole.
    """
    first, second = parts("docker")
    rig.files.open("old", first)
    rig.run(0.1)
    rig.files.open("new", follows="old")
    rig.files.end("old", "truncated")
    rig.run(0.1)
    (short,) = rig.alerts
    assert short["token"]["status"] == "incomplete"
    rig.files.append("new", second)
    rig.run(3)
    assert rig.found()[1:] == [sha256(TOKEN)]
    assert rig.alerts[1]["supersedes"] == short["id"]
    assert {one.stream for one in rig.store.cursors()} == {"new"}


def test_it_does_not_wait_for_ever(rig: Rig) -> None:
    """Without the rest, what is there is reported after five seconds."""
    first, _ = parts("cri")
    rig.files.open("old", first)
    rig.files.open("new", cri("stderr", "F", "x"), follows="old")
    rig.run(4.5)
    assert rig.alerts == []
    rig.run(2)
    assert [one["token"]["status"] for one in rig.alerts] == ["incomplete"]


def test_the_old_file_is_still_written_to(rig: Rig) -> None:
    """The rest of the line may come in the old file after all."""
    first, second = parts("cri")
    rig.files.open("old", first)
    rig.files.open("new", cri("stderr", "F", "x"), follows="old")
    rig.run(0.5)
    rig.files.append("old", second)
    rig.run(0.5)
    assert rig.found() == [sha256(TOKEN)]


def test_plain_lines_are_not_joined(rig: Rig) -> None:
    """A token at the end of a file without records ends with the file."""
    line = f"t={TOKEN}".encode()
    rig.files.open("old", line)
    rig.files.open("new", b"AAAA and more\n", follows="old")
    rig.run(3)
    assert rig.found() == [sha256(TOKEN)]


def test_the_new_file_is_gone_too(rig: Rig) -> None:
    """A join whose other side ends is over."""
    first, _ = parts("cri")
    rig.files.open("old", first)
    rig.files.open("new", follows="old")
    rig.run(0.1)
    rig.files.end("new")
    rig.run(0.1)
    assert [one["token"]["status"] for one in rig.alerts] == ["incomplete"]


def test_catching_up_does_not_wait(rig: Rig) -> None:
    """Where nothing more will come, the parts that are there are joined, and the rest is reported
    at once.
    """
    first, second = parts("cri")
    rig.files.open("old", first)
    rig.files.open("new", second, follows="old")
    rig.loop.begin()
    rig.loop.catch_up(1.0)
    assert rig.found() == [sha256(TOKEN)]
