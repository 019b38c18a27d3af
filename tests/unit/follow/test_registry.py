"""Which streams there are."""

from __future__ import annotations

import pytest

from jwtleak.follow import registry as module
from jwtleak.follow.fingerprint import digest
from jwtleak.follow.interface import Ended, Moved, Opened, Trouble
from jwtleak.follow.registry import OrphanIndex, Registry, Schedule, fresh_name
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
    first, two = stream("/a"), stream("/b")
    registry.bind(first, (1, 5), 7)
    registry.bind(two, (1, 5), 7)
    registry.unbind(first)
    assert registry.at((1, 5)) is two
    registry.unbind(two)
    assert registry.at((1, 5)) is None


def test_a_new_path_is_reported(registry: Registry) -> None:
    """The old first leads nowhere then; the same first again is no news."""
    first = stream("/a")
    first.opened = True
    registry.add(first)
    registry.name(first, "/a")
    registry.name(first, "/b")
    registry.name(first, "/b")
    assert registry.drain_events() == [Moved(first.name, "/b")]
    assert (registry.at_path("/a"), registry.at_path("/b")) == (None, first)
    registry.unname(first)
    assert not first.named
    assert registry.at_path("/b") is None


def test_everything_of_a_itemgoes_with_it(registry: Registry) -> None:
    """Names, links, files, heads and plans."""
    first = stream("/a", b"x" * 64)
    registry.add(first)
    registry.bind(first, (1, 5), None)
    registry.name(first, "/a")
    registry.alias(first, "/b")
    registry.link(first, "/real/c")
    registry.index_head(first)
    registry.poll_at(first, 1)
    paths = ("/a", "/b", "/real/c")
    assert [registry.at_path(path) for path in paths] == [first] * 3
    assert registry.linked_directories() == {"/real"}
    registry.end(first, Ended(first.name, "rotated", 3))
    assert [registry.at_path(path) for path in paths] == [None] * 3
    assert (len(registry), registry.linked_directories(), registry.at((1, 5))) == (0, set(), None)
    assert first not in registry
    assert registry.twin([digest(b"x" * 64)], (1, 6)) is None
    assert registry.due(9) == []
    assert registry.drain_events() == [Ended(first.name, "rotated", 3)]
    assert (registry.stats.rotated, registry.stats.bytes_lost) == (1, 3)


def test_twins_are_live_files_that_begin_alike(registry: Registry) -> None:
    """Not the file itself, and none of less than 64 bytes."""
    first, short = stream("/a", b"x" * 64), stream("/b", b"y" * 10, inode=2)
    for item in (first, short):
        registry.add(item)
        registry.index_head(item)
    assert registry.twin([digest(b"x" * 64)], (1, 9)) is first
    assert registry.twin([digest(b"x" * 64)], (1, 1)) is None
    assert registry.twin([digest(b"y" * 10)], (1, 9)) is None
    assert registry.leaving_like(digest(b"x" * 64)) is None
    first.state = "leaving"
    assert registry.leaving_like(digest(b"x" * 64)) is first
    assert registry.twin([digest(b"x" * 64)], (1, 9)) is None


def test_the_homeless_are_found_by_file_and_by_head() -> None:
    """Until they are removed, from all indexes."""
    orphans = OrphanIndex()
    first, two, bare = stream("/a", b"abc"), stream("/b", b"abcdef", inode=2), stream("/c", inode=3)
    for item in (first, two, bare, first):
        orphans.add(item)
    assert len(orphans) == 3
    assert orphans.of((1, 2)) == [two]
    assert sorted(item.path for item in orphans.like(b"abcdefghi")) == ["/a", "/b"]
    assert orphans.like(b"abcde") == [first]
    assert orphans.like(b"") == []
    for item in (first, two, bare, first):
        orphans.remove(item)
    assert (len(orphans), orphans.of((1, 2)), orphans.like(b"abcdefghi"), list(orphans)) == (
        0,
        [],
        [],
        [],
    )


def test_an_orphan_is_homeless(registry: Registry) -> None:
    """It keeps its key, so that its file is known when it is met."""
    first = stream("/a")
    registry.add(first)
    registry.bind(first, (1, 5), None)
    registry.name(first, "/a")
    registry.orphan(first)
    assert (first.state, list(registry.orphans)) == ("orphan", [first])
    assert (registry.at((1, 5)), registry.at_path("/a")) == (None, None)
    assert registry.orphans.of((1, 5)) == [first]


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
    first = stream("/a")
    registry.emit(Opened(first.name, "/a", first.stored, 0))
    for reason in ("rotated", "truncated", "removed", "finished"):
        registry.emit(Ended(first.name, reason))  # type: ignore[arg-type]
    stats = registry.stats
    assert (stats.opened, stats.rotated, stats.truncated, stats.removed, stats.finished) == (
        1,
        1,
        1,
        1,
        1,
    )


def test_due_names_come_once() -> None:
    """In the order of their times, and only what is due."""
    schedule = Schedule()
    schedule.put("b", 2)
    schedule.put("a", 1)
    schedule.put("c", 3)
    assert schedule.drain(2) == ["a", "b"]
    assert schedule.drain(2) == []
    assert schedule.drain(9) == ["c"]


def test_the_last_plan_counts() -> None:
    """A name that is planned again comes then, earlier or later, and not when it was dropped."""
    schedule = Schedule()
    schedule.put("a", 5)
    schedule.put("a", 1)
    schedule.put("b", 1)
    schedule.put("b", 5)
    schedule.put("c", 1)
    schedule.drop("c")
    assert schedule.drain(1) == ["a"]
    assert schedule.drain(9) == ["b"]
