"""What is known of a stream."""

from __future__ import annotations

import os
import resource

import pytest

from jwtleak.follow.stream import FollowedStream, OpenFiles, budget
from jwtleak.types import Cursor

CURSOR = Cursor(stream="s", path="/a", device=3, inode=4)


def test_caught_up() -> None:
    """All that is written was read; reserved space behind it does not count."""
    stream = FollowedStream(name="s", path="/a", stored=CURSOR, end=10, read_to=9, size=100)
    assert not stream.caught_up
    stream.advance(10, b"")
    assert stream.caught_up


def test_streams_are_compared_by_identity() -> None:
    """Two with equal values are two, and each can be a key."""
    first, second = (
        FollowedStream(name="s", path="/a", stored=CURSOR, device=3, inode=4) for _ in range(2)
    )
    assert first.key == second.key == (3, 4)
    assert len({first, second}) == 2


def test_the_first_loss_of_a_path_counts() -> None:
    """`rotate_quiet` runs from there, and the reason is that of the first loss."""
    stream = FollowedStream(name="s", path="/a", stored=CURSOR, state="followed", fd=0)
    stream.leave(5.0, "rotated")
    stream.leave(9.0, "removed")
    assert (stream.state, stream.left_at, stream.reason) == ("leaving", 5.0, "rotated")


def stream(
    name: str, *, read_to: int = 10, end: int = 10, named: bool = True, uncommitted: bool = False
) -> FollowedStream:
    """A stream that has read so much."""
    cursor = Cursor(stream=name, path="/" + name, device=1, inode=1)
    return FollowedStream(
        name=name,
        path="/" + name,
        stored=cursor,
        read_to=read_to,
        end=end,
        named=named,
        uncommitted=uncommitted,
    )


def null() -> int:
    """An open file."""
    return os.open("/dev/null", os.O_RDONLY)


def held(*streams: FollowedStream, limit: int = 3) -> tuple[OpenFiles, list[str]]:
    """Hold the files of all streams, and which are still held."""
    descriptors = OpenFiles(limit)
    for item in streams:
        descriptors.keep(item, null())
    names = [item.name for item in streams if item.fd >= 0]
    descriptors.close()
    return descriptors, names


def test_the_least_recently_used_goes() -> None:
    """Use keeps a file open."""
    descriptors = OpenFiles(3)
    streams = [stream(name) for name in "abc"]
    for item in streams:
        descriptors.keep(item, null())
    descriptors.use(streams[0])
    descriptors.keep(stream("d"), null())
    assert [item.fd >= 0 for item in streams] == [True, False, True]
    assert len(descriptors) == 3
    descriptors.close()
    assert len(descriptors) == 0


def test_files_with_unread_bytes_stay() -> None:
    """A file that was read goes before one that was not, however recently it was used."""
    _, names = held(stream("a", read_to=5), stream("b", uncommitted=True), stream("c"), stream("d"))
    assert names == ["a", "b", "d"]


def test_a_named_file_goes_before_the_budget_is_broken() -> None:
    """When all have unread bytes, one that can be opened again by its name goes."""
    _, names = held(
        stream("a", read_to=5, named=False),
        stream("b", read_to=5),
        stream("c", read_to=5),
        stream("d"),
    )
    assert names == ["a", "c", "d"]


def test_files_without_a_name_are_never_closed() -> None:
    """They break the budget rather, and it is kept again as soon as they are gone."""
    lost = [stream(name, named=False) for name in "abcd"]
    descriptors = OpenFiles(3)
    for item in [*lost, stream("e")]:
        descriptors.keep(item, null())
    assert len(descriptors) == 5
    for item in lost[:2]:
        descriptors.release(item)
    descriptors.make_room()
    assert len(descriptors) == 3
    descriptors.close()


def test_the_default_is_half_of_what_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """And bounded where it allows anything."""
    for soft, expected in ((256, 128), (2, 4), (resource.RLIM_INFINITY, 65536)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert budget() == expected
