"""Planning: from paths to tasks of about the same size.

Promises: tasks depend on the files alone, never on how many processes will run them. A large plain
file is split by byte range; archives stay whole, since what follows in them depends on what went
before; small files go together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jwtleak.archives.sniff import sniff
from jwtleak.errors import SourceError
from jwtleak.runtime.scan.worker import Files, Range, Task
from jwtleak.sources.interface import SNIFF, Entry, read_head

# A part of a split file: small enough that two workers share 100 MB evenly and that its alerts fit
# in memory; large enough that the bytes read twice at its edges (at most 448 KiB) stay below a few
# percent.
RANGE = 16 * 1024 * 1024

# Small files that share a task: a message and a switch between processes cost as much as reading
# about a megabyte.
_TOGETHER_BYTES = 4 * 1024 * 1024
_TOGETHER_FILES = 256


def plan(entries: Iterable[Entry]) -> Iterator[Task]:
    """Yield the tasks for `entries`, in order, numbered from 0."""
    index = 0
    paths: list[str] = []
    size = 0
    for entry in entries:
        large = entry.size > RANGE and not _packed(entry)
        if paths and (
            large or size + entry.size > _TOGETHER_BYTES or len(paths) >= _TOGETHER_FILES
        ):
            yield Files(index, tuple(paths), size)
            index, paths, size = index + 1, [], 0
        if not large:
            paths.append(entry.path)
            size += entry.size
            continue
        for start in range(0, entry.size, RANGE):
            stop = min(start + RANGE, entry.size)
            yield Range(index, entry.path, start, stop, entry.size, entry.mtime_ms)
            index += 1
    if paths:
        yield Files(index, tuple(paths), size)


def _packed(entry: Entry) -> bool:
    """Whether the file is an archive. One that cannot be opened counts as one: it goes to a worker
    whole, which reports why.
    """
    try:
        return sniff(read_head(entry.path, SNIFF)) is not None
    except SourceError:
        return True
