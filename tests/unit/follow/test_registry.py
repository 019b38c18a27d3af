"""Which streams there are."""

from __future__ import annotations

import pytest

from jwtleak.follow import registry as module
from jwtleak.follow.fingerprint import digest
from jwtleak.follow.interface import Ended, Moved, Opened, Trouble
from jwtleak.follow.registry import OrphanIndex, Registry, fresh_name
from jwtleak.follow.stream import FollowedStream, OpenFiles, State
from jwtleak.types import Cursor


def stream(
    path: str, head: bytes = b"", *, inode: int = 1, state: State = "followed"
) -> FollowedStream:
    """A stream that begins with `head`."""
    name = fresh_name()
    cursor = Cursor(stream=name, path=path, device=1, inode=inode)
    known = (len(head), digest(head)) if head else (0, b"")
    return FollowedStream(
        name=name,
        path=path,
        stored=cursor,
        device=1,
        inode=inode,
        head_length=known[0],
        head=known[1],
        state=state,
    )


@pytest.fixture
def registry() -> Registry:
    """An empty registry."""
    return Registry(OpenFiles(4))


def test_names_are_unique() -> None:
    """128 bits of chance, in hex."""
    names = {fresh_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 32 for name in names)


def test_a_file_belongs_to_one_stream(registry: Registry) -> None:
    """Binding moves it; unbinding by another stream does nothing."""
    one, two = stream("/a"), stream("/b")
    registry.bind(one, (1, 5), 7)
    registry.bind(two, (1, 5), 7)
    registry.unbind(one)
    assert registry.at((1, 5)) is two
    registry.unbind(two)
    assert registry.at((1, 5)) is None


def test_a_new_path_is_reported(registry: Registry) -> None:
    """The old one leads nowhere then; the same one again is no news."""
    one = stream("/a")
    one.opened = True
    registry.add(one)
    registry.name(one, "/a")
    registry.name(one, "/b")
    registry.name(one, "/b")
    assert registry.drain_events() == [Moved(one.name, "/b")]
    assert (registry.at_path("/a"), registry.at_path("/b")) == (None, one)
    registry.unname(one)
    assert not one.named
    assert registry.at_path("/b") is None


def test_everything_of_a_stream_goes_with_it(registry: Registry) -> None:
    """Names, links, files, heads and plans."""
    one = stream("/a", b"x" * 64)
    registry.add(one)
    registry.bind(one, (1, 5), None)
    registry.name(one, "/a")
    registry.alias(one, "/b")
    registry.link(one, "/real/c")
    registry.index_head(one)
    registry.poll_at(one, 1)
    paths = ("/a", "/b", "/real/c")
    assert [registry.at_path(path) for path in paths] == [one] * 3
    assert registry.linked_directories() == {"/real"}
    registry.end(one, Ended(one.name, "rotated", 3))
    assert [registry.at_path(path) for path in paths] == [None] * 3
    assert (len(registry), registry.linked_directories(), registry.at((1, 5))) == (0, set(), None)
    assert one not in registry
    assert registry.twin([digest(b"x" * 64)], (1, 6)) is None
    assert registry.due(9) == []
    assert registry.drain_events() == [Ended(one.name, "rotated", 3)]
    assert (registry.stats.rotated, registry.stats.bytes_lost) == (1, 3)


def test_twins_are_live_files_that_begin_alike(registry: Registry) -> None:
    """Not the file itself, and none of less than 64 bytes."""
    one, short = stream("/a", b"x" * 64), stream("/b", b"y" * 10, inode=2)
    for each in (one, short):
        registry.add(each)
        registry.index_head(each)
    assert registry.twin([digest(b"x" * 64)], (1, 9)) is one
    assert registry.twin([digest(b"x" * 64)], (1, 1)) is None
    assert registry.twin([digest(b"y" * 10)], (1, 9)) is None
    assert registry.leaving_like(digest(b"x" * 64)) is None
    one.state = "leaving"
    assert registry.leaving_like(digest(b"x" * 64)) is one
    assert registry.twin([digest(b"x" * 64)], (1, 9)) is None


def test_the_homeless_are_found_by_file_and_by_head() -> None:
    """Until they are removed, from all indexes."""
    orphans = OrphanIndex()
    one, two, bare = stream("/a", b"abc"), stream("/b", b"abcdef", inode=2), stream("/c", inode=3)
    for each in (one, two, bare, one):
        orphans.add(each)
    assert len(orphans) == 3
    assert orphans.of((1, 2)) == [two]
    assert sorted(each.path for each in orphans.like(b"abcdefghi")) == ["/a", "/b"]
    assert orphans.like(b"abcde") == [one]
    assert orphans.like(b"") == []
    for each in (one, two, bare, one):
        orphans.remove(each)
    assert (len(orphans), orphans.of((1, 2)), orphans.like(b"abcdefghi"), list(orphans)) == (
        0,
        [],
        [],
        [],
    )


def test_an_orphan_is_homeless(registry: Registry) -> None:
    """It keeps its key, so that its file is known when it is met."""
    one = stream("/a")
    registry.add(one)
    registry.bind(one, (1, 5), None)
    registry.name(one, "/a")
    registry.orphan(one)
    assert (one.state, list(registry.orphans)) == ("orphan", [one])
    assert (registry.at((1, 5)), registry.at_path("/a")) == (None, None)
    assert registry.orphans.of((1, 5)) == [one]


def test_a_trouble_is_reported_once(registry: Registry) -> None:
    """Until its reason changes, or it was over in between."""
    for _ in range(3):
        registry.trouble("unreadable", "/a", "permission denied")
    registry.trouble("unreadable", "/a", "input/output error")
    registry.recovered("/a")
    registry.trouble("unreadable", "/a", "permission denied")
    assert len(registry.drain_events()) == 3
    assert registry.stats.troubles == {"unreadable": 3}


def test_troubles_are_bounded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """More are counted and not reported."""
    monkeypatch.setattr(module, "MAX_TROUBLES", 2)
    for number in range(5):
        registry.trouble("unreadable", f"/{number}", "permission denied")
    assert registry.drain_events() == [
        Trouble("unreadable", f"/{number}", "permission denied") for number in range(2)
    ]
    assert registry.stats.troubles == {"unreadable": 5}


def test_events_are_counted(registry: Registry) -> None:
    """Opened streams and every way to end."""
    one = stream("/a")
    registry.emit(Opened(one.name, "/a", one.stored, 0))
    for reason in ("rotated", "truncated", "removed", "finished"):
        registry.emit(Ended(one.name, reason))  # type: ignore[arg-type]
    stats = registry.stats
    assert (stats.opened, stats.rotated, stats.truncated, stats.removed, stats.finished) == (
        1,
        1,
        1,
        1,
        1,
    )
