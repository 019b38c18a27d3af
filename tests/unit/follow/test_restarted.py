"""What happened while the follower was stopped, as its cursors show."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines
from msgspec.structs import replace

from jwtleak.follow.interface import Opened

Drive = Callable[..., Driver]


def stopped(drive: Drive, path: Path, data: bytes, *more: Path) -> Driver:
    """A follower that has read `data` from `path`, and was stopped."""
    path.write_bytes(data)
    driver = drive(*(more or (path,)))
    driver.turn()
    assert driver.text() == data
    driver.close()
    return driver


def test_nothing_happened(drive: Drive, tmp_path: Path) -> None:
    """An unchanged file is opened at its cursor, under the same name, without a byte read."""
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    before = dict(driver.cursors)
    driver.restart()
    (event,) = driver.poll()
    assert isinstance(event, Opened)
    assert event.cursor == before[event.stream]
    assert event.kept
    assert driver.follower.stats().open == 0


def test_another_name_is_to_be_stored(drive: Drive, tmp_path: Path) -> None:
    """The same file under another name that is asked for is not opened, but its cursor is not the
    one that is kept.
    """
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10), tmp_path / "*.log")
    log.rename(tmp_path / "b.log")
    driver.restart()
    (event,) = driver.poll()
    assert isinstance(event, Opened)
    assert (event.path, event.kept) == (str(tmp_path / "b.log"), False)
    assert driver.follower.stats().open == 0


def test_nothing_happened_to_what_was_not_read_to_its_end(drive: Drive, tmp_path: Path) -> None:
    """Some last bytes are mostly not judged yet, since a token may begin there: the file is not
    opened for that either.
    """
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    ((name, cursor),) = driver.cursors.items()
    driver.cursors[name] = replace(cursor, offset=cursor.offset - 17)
    driver.restart()
    (event,) = driver.poll()
    assert isinstance(event, Opened)
    assert (event.cursor.offset, event.size) == (len(lines(0, 10)) - 17, len(lines(0, 10)))
    assert driver.follower.stats().open == 0


def test_it_grew(drive: Drive, tmp_path: Path) -> None:
    """Reading goes on at the cursor."""
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    driver.restart()
    driver.turn()
    assert driver.contents() == [lines(0, 20)]


def test_it_was_rotated(drive: Drive, tmp_path: Path) -> None:
    """The rest is read from the renamed file, although its name is not asked for."""
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(100, 110))
    driver.restart()
    driver.turn()
    assert sorted(driver.contents()) == [lines(0, 20), lines(100, 110)]
    driver.turn(31)
    assert driver.ends() == [("rotated", 0)]


def test_it_was_rotated_several_times(drive: Drive, tmp_path: Path) -> None:
    """Generations that came and went meanwhile are read as well, plain or compressed; older ones
    are not.
    """
    log = tmp_path / "a.log"
    (tmp_path / "a.log.5").write_bytes(lines(900, 910))
    os.utime(tmp_path / "a.log.5", (1, 1))
    driver = stopped(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    (tmp_path / "a.log.3.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    (tmp_path / "a.log.2.gz").write_bytes(gzip.compress(lines(100, 110)))
    (tmp_path / "a.log.1").write_bytes(lines(200, 210))
    log.write_bytes(lines(300, 310))
    driver.restart()
    driver.turn(times=8)
    assert sorted(driver.contents()) == [
        lines(0, 20),
        lines(100, 110),
        lines(200, 210),
        lines(300, 310),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_it_was_cut(drive: Drive, tmp_path: Path, packed: bool) -> None:
    """A log that was copied, cut and has grown past the old offset: both generations are read to
    their ends.
    """
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    copy = tmp_path / ("a.log.1.gz" if packed else "a.log.1")
    copy.write_bytes(gzip.compress(log.read_bytes()) if packed else log.read_bytes())
    os.truncate(log, 0)
    append(log, lines(100, 200))
    driver.restart()
    driver.turn(times=8)
    assert sorted(driver.contents()) == [lines(0, 20), lines(100, 200)]


def test_it_was_cut_under_a_glob_that_takes_the_copy(drive: Drive, tmp_path: Path) -> None:
    """The copy is the stream's; the log is a new one."""
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10), tmp_path / "a.log*")
    append(log, lines(10, 20))
    shutil.copyfile(log, tmp_path / "a.log.1")
    os.truncate(log, 0)
    append(log, lines(100, 200))
    driver.restart()
    driver.turn(times=8)
    assert sorted(driver.contents()) == [lines(0, 20), lines(100, 200)]


def test_it_was_replaced_by_one_with_the_same_inode(drive: Drive, tmp_path: Path) -> None:
    """Delete and create, with the same beginning: the generation or the anchor differs."""
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    log.unlink()
    log.write_bytes(lines(0, 9) + lines(50, 70))
    driver.restart()
    driver.turn(times=20)
    assert driver.contents() == [lines(0, 10), log.read_bytes()]
    assert driver.ends() == [("removed", 0)] or driver.ends() == [("rotated", 0)]


def test_it_is_gone(drive: Drive, tmp_path: Path) -> None:
    """What the cursor knew of and nobody can read any more is counted as lost."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 20))
    driver = drive(log)
    driver.poll()
    (stream,) = driver.logs
    size = len(lines(0, 10))
    driver.follower.read(stream, 0, memoryview(bytearray(size)))
    driver.cursors[stream] = driver.follower.cursor(
        stream, offset=size, reported=size, lines=10, line_start=size, provisional=None
    )
    log.unlink()
    driver.restart()
    driver.turn(times=20)
    assert driver.ends() == [("removed", len(lines(10, 20)))]
    assert driver.cursors == {}


def test_it_moved_to_another_followed_directory(drive: Drive, tmp_path: Path) -> None:
    """A renamed file is known by its identity wherever it is met."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    log = tmp_path / "one" / "a.log"
    driver = stopped(drive, log, lines(0, 10), tmp_path / "**" / "*.log")
    log.rename(tmp_path / "two" / "b.log")
    append(tmp_path / "two" / "b.log", lines(10, 20))
    driver.restart()
    driver.turn()
    assert driver.contents() == [lines(0, 20)]


def test_a_rotated_file_was_still_read(drive: Drive, tmp_path: Path) -> None:
    """A stop while the rest of a rotated file was read: it goes on there."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(100, 110))
    append(tmp_path / "a.log.1", lines(10, 11))
    driver.turn()
    append(tmp_path / "a.log.1", lines(11, 12))
    driver.restart()
    driver.turn()
    assert driver.contents() == [lines(0, 12), lines(100, 110)]


def test_a_compressed_file_was_read(drive: Drive, tmp_path: Path) -> None:
    """A compressed log is read once, whatever is restarted, and forgotten when it is gone."""
    packed = tmp_path / "a.log.gz"
    packed.write_bytes(gzip.compress(lines(0, 10)))
    driver = drive(tmp_path)
    driver.turn(times=5)
    assert driver.contents() == [lines(0, 10)]
    assert driver.ends() == [("finished", 0)]
    (cursor,) = driver.cursors.values()
    assert cursor.state == "finished"
    driver.restart()
    driver.turn(times=5)
    assert driver.contents() == [lines(0, 10)]
    packed.rename(tmp_path / "a.log.2.gz")
    driver.turn(times=10)
    packed.with_name("a.log.2.gz").unlink()
    driver.turn(times=20)
    assert [reason for reason, _ in driver.ends()] == ["finished", "removed"]
    assert driver.cursors == {}


def test_a_compressed_file_was_half_read(drive: Drive, tmp_path: Path) -> None:
    """Reading a compressed file goes on at its offset among the decompressed bytes."""
    packed = tmp_path / "a.log.gz"
    data = lines(0, 20_000)
    packed.write_bytes(gzip.compress(data))
    driver = drive(tmp_path)
    driver.poll()
    driver.poll(3)
    (stream,) = driver.logs
    count = driver.follower.read(stream, 0, memoryview(bytearray(100_000)))
    cursor = driver.follower.cursor(
        stream, offset=count - 50, reported=count, lines=0, line_start=0, provisional=None
    )
    driver.cursors[stream] = cursor
    driver.logs[stream].data += data[: count - 50]
    driver.restart()
    driver.turn(times=8)
    assert driver.contents() == [data]


def test_the_beginning_is_only_for_the_first_start(drive: Drive, tmp_path: Path) -> None:
    """`from = end`: a file that came while the program was stopped is read whole, one in a new
    place from its end.
    """
    logs, other = tmp_path / "logs", tmp_path / "other"
    logs.mkdir()
    other.mkdir()
    (logs / "a.log").write_bytes(lines(0, 10))
    driver = drive(logs, other, from_="end")
    driver.turn()
    assert driver.contents() == [b""]
    (logs / "b.log").write_bytes(lines(100, 110))
    (other / "c.log").write_bytes(lines(200, 210))
    driver.restart()
    driver.turn()
    assert driver.contents() == [b"", lines(100, 110), b""]
    append(other / "c.log", lines(210, 211))
    append(logs / "a.log", lines(10, 11))
    driver.turn()
    assert driver.contents() == [lines(10, 11), lines(100, 110), lines(210, 211)]


def test_since(drive: Drive, tmp_path: Path) -> None:
    """`from = since:1h`: files that changed in the last hour are read whole, older ones from their
    end.
    """
    (tmp_path / "old.log").write_bytes(lines(0, 10))
    os.utime(tmp_path / "old.log", (1, 1))
    (tmp_path / "new.log").write_bytes(lines(10, 20))
    driver = drive(tmp_path, from_="since:1h")
    driver.turn()
    assert sorted(driver.contents()) == [b"", lines(10, 20)]


def test_what_is_not_asked_for_any_more(drive: Drive, tmp_path: Path) -> None:
    """A narrower configuration leaves cursors alone: neither read nor ended, and good for the day
    it is widened.
    """
    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10), tmp_path / "*.log")
    append(log, lines(10, 20))
    driver.restart(tmp_path / "*.txt")
    driver.turn(times=20)
    assert driver.ends() == []
    driver.restart(tmp_path / "*.log")
    driver.turn()
    assert driver.contents() == [lines(0, 20)]


def test_a_cursor_without_an_anchor_is_not_believed(drive: Drive, tmp_path: Path) -> None:
    """Where nothing says which bytes were read, they are read again."""
    import msgspec

    log = tmp_path / "a.log"
    driver = stopped(drive, log, lines(0, 10))
    append(log, lines(10, 11))
    ((stream, cursor),) = driver.cursors.items()
    driver.cursors[stream] = msgspec.structs.replace(cursor, anchor_length=0, anchor=b"")
    driver.restart()
    driver.turn()
    assert lines(0, 11) in driver.contents()


@pytest.mark.parametrize("packed", [False, True])
def test_a_generation_of_which_nothing_was_stored(
    drive: Drive, tmp_path: Path, packed: bool
) -> None:
    """Killed before the cursor of a new log is stored, and rotated before it is started again: the
    generation is read.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.1")
    driver.turn()
    ((name, read),) = driver.logs.items()
    driver.commit(name, read)
    cursor = driver.cursors[name]
    assert (cursor.path, cursor.state) == (str(tmp_path / "a.log.1"), "rotated")
    log.write_bytes(lines(100, 110))
    driver.turn()
    driver.cursors = {name: driver.cursors[name]}
    del driver.logs[next(other for other in driver.logs if other != name)]
    (tmp_path / "a.log.1").rename(tmp_path / "a.log.2")
    log.rename(tmp_path / "a.log.1")
    if packed:
        (tmp_path / "a.log.1.gz").write_bytes(gzip.compress((tmp_path / "a.log.1").read_bytes()))
        (tmp_path / "a.log.1").unlink()
    log.write_bytes(lines(200, 210))
    driver.restart()
    driver.turn(times=5)
    assert sorted(driver.contents()) == [lines(0, 10), lines(100, 110), lines(200, 210)]


def test_a_generation_between_two_that_were_stored(drive: Drive, tmp_path: Path) -> None:
    """Met after the log that followed it, and killed before it was stored: it is read."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(200, 210))
    driver.turn()
    for name, read in driver.logs.items():
        driver.commit(name, read)
    log.rename(tmp_path / "a.log.3")
    (tmp_path / "a.log.2").write_bytes(lines(100, 110))
    middle = (tmp_path / "a.log.1").stat().st_mtime_ns + 1
    os.utime(tmp_path / "a.log.2", ns=(middle, middle))
    log.write_bytes(lines(300, 310))
    driver.restart()
    driver.turn(times=5)
    assert sorted(driver.contents()) == [
        lines(0, 10),
        lines(100, 110),
        lines(200, 210),
        lines(300, 310),
    ]
