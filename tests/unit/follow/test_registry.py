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
def book() -> Registry:
    """An empty book."""
    return Registry(OpenFiles(4))


def test_names_are_unique() -> None:
    """128 bits of chance, in hex."""
    names = {fresh_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 32 for name in names)


def test_a_file_belongs_to_one_stream(book: Registry) -> None:
    """Binding moves it; unbinding by another stream does nothing."""
    one, two = stream("/a"), stream("/b")
    book.bind(one, (1, 5), 7)
    book.bind(two, (1, 5), 7)
    book.unbind(one)
    assert book.at((1, 5)) is two
    book.unbind(two)
    assert book.at((1, 5)) is None


def test_a_new_name_is_told(book: Registry) -> None:
    """The old one leads nowhere then; the same one again is no news."""
    one = stream("/a")
    one.opened = True
    book.add(one)
    book.name(one, "/a")
    book.name(one, "/b")
    book.name(one, "/b")
    assert book.take() == [Moved(one.name, "/b")]
    assert book.by_path == {"/b": one}
    book.unname(one)
    assert not one.named
    assert book.by_path == {}


def test_everything_of_a_stream_goes_with_it(book: Registry) -> None:
    """Names, links, files, heads and plans."""
    one = stream("/a", b"x" * 64)
    book.add(one)
    book.bind(one, (1, 5), None)
    book.name(one, "/a")
    book.alias(one, "/b")
    book.link(one, "/real/c")
    book.know_head(one)
    book.schedule.put(one.name, 1)
    assert set(book.by_path) == {"/a", "/b", "/real/c"}
    assert dict(book.linked) == {"/real": 1}
    book.end(one, Ended(one.name, "rotated", 3))
    assert (book.by_path, book.streams, dict(book.linked), book.at((1, 5))) == ({}, {}, {}, None)
    assert book.twin([digest(b"x" * 64)], (1, 6)) is None
    assert book.schedule.due(9) == []
    assert book.take() == [Ended(one.name, "rotated", 3)]
    assert (book.stats.rotated, book.stats.bytes_lost) == (1, 3)


def test_twins_are_live_files_that_begin_alike(book: Registry) -> None:
    """Not the file itself, and none of less than 64 bytes."""
    one, short = stream("/a", b"x" * 64), stream("/b", b"y" * 10, inode=2)
    for each in (one, short):
        book.add(each)
        book.know_head(each)
    assert book.twin([digest(b"x" * 64)], (1, 9)) is one
    assert book.twin([digest(b"x" * 64)], (1, 1)) is None
    assert book.twin([digest(b"y" * 10)], (1, 9)) is None
    assert book.leaving_like(digest(b"x" * 64)) is None
    one.state = "leaving"
    assert book.leaving_like(digest(b"x" * 64)) is one
    assert book.twin([digest(b"x" * 64)], (1, 9)) is None


def test_the_homeless_are_found_by_file_and_by_head() -> None:
    """Until they are removed, from all indexes."""
    homeless = OrphanIndex()
    one, two, bare = stream("/a", b"abc"), stream("/b", b"abcdef", inode=2), stream("/c", inode=3)
    for each in (one, two, bare, one):
        homeless.add(each)
    assert len(homeless) == 3
    assert homeless.of((1, 2)) == [two]
    assert sorted(each.path for each in homeless.like(b"abcdefghi")) == ["/a", "/b"]
    assert homeless.like(b"abcde") == [one]
    assert homeless.like(b"") == []
    for each in (one, two, bare, one):
        homeless.remove(each)
    assert (len(homeless), homeless.of((1, 2)), homeless.like(b"abcdefghi"), list(homeless)) == (
        0,
        [],
        [],
        [],
    )


def test_an_orphan_is_homeless(book: Registry) -> None:
    """It keeps its key, so that its file is known when it is met."""
    one = stream("/a")
    book.add(one)
    book.bind(one, (1, 5), None)
    book.name(one, "/a")
    book.orphan(one)
    assert (one.state, list(book.homeless), book.at((1, 5)), book.by_path) == (
        "orphan",
        [one],
        None,
        {},
    )
    assert book.homeless.of((1, 5)) == [one]


def test_a_trouble_is_told_once(book: Registry) -> None:
    """Until its reason changes, or it was over in between."""
    for _ in range(3):
        book.trouble("unreadable", "/a", "permission denied")
    book.trouble("unreadable", "/a", "input/output error")
    book.well("/a")
    book.trouble("unreadable", "/a", "permission denied")
    assert len(book.take()) == 3
    assert book.stats.troubles == {"unreadable": 3}


def test_troubles_are_bounded(book: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """More are counted and not told."""
    monkeypatch.setattr(module, "MAX_TROUBLES", 2)
    for number in range(5):
        book.trouble("unreadable", f"/{number}", "permission denied")
    assert book.take() == [
        Trouble("unreadable", f"/{number}", "permission denied") for number in range(2)
    ]
    assert book.stats.troubles == {"unreadable": 5}


def test_events_are_counted(book: Registry) -> None:
    """Opened streams and every way to end."""
    one = stream("/a")
    book.tell(Opened(one.name, "/a", one.stored, 0))
    for reason in ("rotated", "truncated", "removed", "finished"):
        book.tell(Ended(one.name, reason))  # type: ignore[arg-type]
    stats = book.stats
    assert (stats.opened, stats.rotated, stats.truncated, stats.removed, stats.finished) == (
        1,
        1,
        1,
        1,
        1,
    )
