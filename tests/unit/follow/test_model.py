"""A model of logs that are written and rotated in every order, against the follower on real files.

The model knows each generation's bytes and, at each poll, which of them could be read. What must
hold at the end: every such byte was read exactly once, in one stream, at its offset in its
generation, or `lost` says how many were not.
"""

from __future__ import annotations

import copy
import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from followed import Driver
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jwtleak.follow.fingerprint import HEAD_STEPS

KEPT = 4  # rotated files are kept up to `a.log.3`

STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 30)),
    st.tuples(st.just("part"), st.integers(12, 60)),
    st.tuples(st.just("late"), st.integers(1, 5)),
    st.tuples(
        st.sampled_from(["rename", "delete", "gzip", "create", "restart", "crash", "commit"]),
        st.just(0),
    ),
    st.tuples(st.just("copytruncate"), st.integers(0, 3)),
    st.tuples(st.just("blind"), st.sampled_from([0, 1, 3])),
    st.tuples(st.just("poll"), st.sampled_from([0, 1, 1, 3, 12])),
    st.tuples(st.just("turn"), st.sampled_from([0, 1, 1, 3, 12, 45])),
    st.tuples(st.just("some"), st.integers(12, 400)),
)
PROGRAMS = st.lists(STEPS, min_size=3, max_size=40)


class Generation:
    """The bytes that a log ever had between two rotations; `must` is how many of them a poll could
    read.
    """

    def __init__(self) -> None:
        self.content = bytearray()
        self.must = 0
        self.seen = False
        self.cut = False  # it was copied, and its file cut


class World:
    """The files, and what is in them."""

    def __init__(self, root: Path, pattern: str, **more: Any) -> None:
        self.root = root
        self.log = root / "a.log"
        self.generations: list[Generation] = []
        self.plain: dict[str, Generation] = {}
        self.packed: dict[str, Generation] = {}
        self.copied: dict[
            str, int
        ] = {}  # copies hold so much of their generation, and grow no more
        self.number = 0
        self.driver = Driver(root / pattern, **more)
        self.saved: Any = None
        self.save()

    def line(self) -> bytes:
        self.number += 1
        digest = zlib.crc32(b"%d" % self.number)
        return f"{digest:08x} {self.number} {'x' * (self.number * 7 % 23)}\n".encode()

    def save(self) -> None:
        """Store everything: after a crash the model asks for what was known now."""
        driver = self.driver
        for stream, log in driver.logs.items():
            if log.ended is None:
                driver.commit(stream, log)
        musts = [(item, item.must, item.seen) for item in self.generations]
        self.saved = (dict(driver.cursors), copy.deepcopy(driver.logs), list(driver.events), musts)

    def create(self, _: int = 0) -> None:
        if "a.log" not in self.plain:
            self.log.touch()
            self.plain["a.log"] = Generation()
            self.generations.append(self.plain["a.log"])

    def _append(self, name: str, data: bytes) -> None:
        with (self.root / name).open("ab") as file:
            file.write(data)
        self.plain[name].content += data

    def write(self, count: int) -> None:
        self.create()
        self._append("a.log", b"".join(self.line() for _ in range(count)))

    def part(self, size: int) -> None:
        self.create()
        self._append("a.log", (self.line() * 9)[:size])

    def late(self, count: int) -> None:
        """A writer that still has the renamed file."""
        if "a.log.1" in self.plain and "a.log.1" not in self.copied:
            self._append("a.log.1", b"".join(self.line() for _ in range(count)))

    def _cascade(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            for suffix, place in (("", self.plain), (".gz", self.packed)):
                old, new = f"a.log.{number}{suffix}", f"a.log.{number + 1}{suffix}"
                if number + 1 == KEPT:
                    (self.root / old).unlink(missing_ok=True)
                    place.pop(old, None)
                    self.copied.pop(old, None)
                elif old in place:
                    (self.root / old).rename(self.root / new)
                    place[new] = place.pop(old)
                    if old in self.copied:
                        self.copied[new] = self.copied.pop(old)

    def rename(self, _: int) -> None:
        if "a.log" in self.plain:
            self._cascade()
            self.log.rename(self.root / "a.log.1")
            self.plain["a.log.1"] = self.plain.pop("a.log")

    def delete(self, _: int) -> None:
        if "a.log" in self.plain:
            self.log.unlink()
            del self.plain["a.log"]

    def copytruncate(self, between: int) -> None:
        if "a.log" in self.plain:
            self._cascade()
            shutil.copyfile(self.log, self.root / "a.log.1")
            self.plain["a.log.1"] = self.plain["a.log"]
            self.copied["a.log.1"] = len(self.plain["a.log"].content)
            if between:
                self.write(between)
            os.truncate(self.log, 0)
            self.plain["a.log"].cut = True
            del self.plain["a.log"]
            self.create()

    def gzip(self, _: int) -> None:
        if "a.log.1" in self.plain:
            path = self.root / "a.log.1"
            (self.root / "a.log.1.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
            found = path.stat()
            os.utime(self.root / "a.log.1.gz", ns=(found.st_atime_ns, found.st_mtime_ns))
            path.unlink()
            self.packed["a.log.1.gz"] = self.plain.pop("a.log.1")
            if "a.log.1" in self.copied:
                self.copied["a.log.1.gz"] = self.copied.pop("a.log.1")

    def poll(self, seconds: int) -> None:
        """A poll with a hint at every path."""
        for path in (self.root, *self.root.iterdir()):
            self.driver.follower.hint(str(path))
        self.driver.poll(seconds)
        self._note()

    def blind(self, seconds: int) -> None:
        """A poll without hints: what it finds depends on what is due."""
        self.driver.poll(seconds)

    def turn(self, seconds: int) -> None:
        self.poll(seconds)
        self.driver.read()
        self.save()

    def some(self, size: int) -> None:
        """A turn that is over before everything was read."""
        driver = self.driver
        for stream, log in driver.logs.items():
            if log.ended is None:
                log.offset += driver._once(stream, log, size)
        self.save()

    def commit(self, _: int) -> None:
        self.driver.read()
        self.save()

    def restart(self, _: int) -> None:
        """A stop that stores what is known, without reading on."""
        self.save()
        self.driver.restart()

    def crash(self, _: int) -> None:
        """Everything since the last commit is forgotten, by the follower and by the model."""
        cursors, logs, events, musts = self.saved
        self.driver.cursors, self.driver.logs, self.driver.events = (
            dict(cursors),
            copy.deepcopy(logs),
            list(events),
        )
        for generation in self.generations:
            generation.must, generation.seen = 0, False
        for generation, must, seen in musts:
            generation.must, generation.seen = must, seen
        self.driver.restart()

    def _note(self) -> None:
        """Note what this poll could read."""
        current = self.plain.get("a.log")
        if current is not None:
            current.must, current.seen = len(current.content), True
        for name, generation in self.plain.items():
            if generation.seen and name != "a.log" and self.followed(generation):
                generation.must = max(
                    generation.must, self.copied.get(name, len(generation.content))
                )

    def followed(self, generation: Generation) -> bool:
        return any(
            log.ended is None and self.of(log) is generation for log in self.driver.logs.values()
        )

    def of(self, log: Any) -> Generation | None:
        """The generation that a stream's bytes are of."""
        end = log.start + len(log.data)
        for generation in self.generations:
            if log.data and generation.content[log.start : end] == log.data:
                return generation
        return None

    def finish(self) -> None:
        """Time enough for everything to be read and to end."""
        for seconds in (0, 1, 3, 3, 12, 12, 40, 40):
            self.turn(seconds)


def check(world: World, exactly: Callable[[int], bool]) -> None:
    """Every byte that could be read was, in its place; `exactly` says whether a number of readings
    is right. A copy that may have come between two polls is read again in doubt, since alerts keep
    their ids: what was copied and cut, or is too short to be known by its head, may be read twice.
    """
    missing = 0
    for generation in world.generations:
        count = [0] * len(generation.content)
        for log in world.driver.logs.values():
            if world.of(log) is generation:
                for at in range(log.start, log.start + len(log.data)):
                    count[at] += 1
        missing += sum(times == 0 for times in count[: generation.must])
        doubtful = generation.cut or len(generation.content) < HEAD_STEPS[0]
        assert all(exactly(times) or (doubtful and times == 2) for times in count if times), (
            generation.must,
            count,
        )
    strangers = [log for log in world.driver.logs.values() if log.data and world.of(log) is None]
    assert strangers == []
    lost = sum(lost for _, lost in world.driver.ends())
    assert missing <= lost, (missing, lost, world.driver.logs)


def run(
    program: list[tuple[str, int]], pattern: str, exactly: Callable[[int], bool], **more: Any
) -> None:
    """One program in a directory of its own."""
    root = Path(tempfile.mkdtemp(prefix="model-"))
    world = World(root, pattern, **more)
    try:
        for step, argument in program:
            getattr(world, step)(argument)
        world.finish()
        check(world, exactly)
    finally:
        world.driver.close()
        shutil.rmtree(root)


def once(times: int) -> bool:
    """No byte is read twice."""
    return times == 1


def often(times: int) -> bool:
    """A byte may be read twice: the same alert has the same id."""
    return times >= 1


QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck))


@given(PROGRAMS)
@example(
    [("write", 1), ("blind", 0), ("rename", 0), ("gzip", 0)]
)  # too short to be recognized by its head
@example(
    [
        ("write", 3),
        ("blind", 0),
        ("rename", 0),
        ("write", 1),
        ("blind", 1),
        ("gzip", 0),
        ("rename", 0),
    ]
)  # read to its end from a file without a name, while its compressed form was renamed again
@QUICK
def test_one_log(program: list[tuple[str, int]]) -> None:
    """With the name of the log alone nothing that could be read is lost or read twice."""
    run(program, "a.log", once)


@given(PROGRAMS)
@QUICK
def test_a_glob_that_matches_everything(program: list[tuple[str, int]]) -> None:
    """With a glob that matches the rotated names too, nothing is lost."""
    run(program, "a.log*", often)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(PROGRAMS)
@LONG
def test_one_log_at_length(program: list[tuple[str, int]]) -> None:
    """The same for thousands of programs."""
    run(program, "a.log", once)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(PROGRAMS)
@LONG
def test_a_glob_at_length(program: list[tuple[str, int]]) -> None:
    """The same for thousands of programs."""
    run(program, "a.log*", often)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(PROGRAMS)
@settings(LONG, max_examples=2000)
def test_with_few_descriptors(program: list[tuple[str, int]]) -> None:
    """The same when hardly any file can be held open."""
    run(program, "a.log*", often, max_open=4)
