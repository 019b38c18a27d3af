"""`scan --state`: opens the state, says what is finished.

Promises: loaded only with the option, since SQLite takes longer to load than a small scan. What is
scanned and how is part of what is marked: another version, other patterns or other options read
everything again.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jwtleak.cli import voice
from jwtleak.cli.output import Output
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.errors import StoreFull
from jwtleak.runtime.scan.resume import ScanJournal, Surroundings
from jwtleak.runtime.scan.scan import Tally
from jwtleak.store import Store
from jwtleak.version import __version__

if TYPE_CHECKING:
    from jwtleak.cli.scan import ScanOptions
    from jwtleak.cli.sinks import Sending


# What does not change which alerts a scan gives: it may go on with another choice of these. PATHs
# count as what they name, patterns by what is in them.
_FREE = (
    "paths",
    "patterns",
    "jobs",
    "fail_on",
    "output",
    "format",
    "progress",
    "state",
    "resume",
    "sink",
    "sink_config",
    "sink_deadline",
)


def key_of(options: ScanOptions, patterns: UserPatterns) -> str:
    """A digest of what decides which alerts a scan gives."""
    places = sorted({os.fsencode(os.path.realpath(path)) for path in options.paths})
    deciding = {
        name: value for name, value in msgspec.structs.asdict(options).items() if name not in _FREE
    }
    what = msgspec.msgpack.encode([__version__, places, deciding, patterns.patterns])
    return hashlib.sha256(what).hexdigest()[:32]


def open_state(directory: Path) -> Store:
    """The store, without what is too old to be gone on with."""
    store = Store.open(directory)
    if store.set_aside is not None:
        voice.warning(f"the state was damaged and is begun anew; the old one is {store.set_aside}")
    try:
        store.prune(_now_ms())
    except StoreFull as full:
        _trouble(str(full))
    return store


def make_ledger(
    store: Store,
    key: str,
    tally: Tally,
    output: Output,
    *,
    resume: bool,
    sent: Sending | None = None,
) -> ScanJournal:
    """The ledger of the scan `key`, begun anew or gone on with. A file is finished when its alerts
    are out everywhere.
    """
    scans = store.scans(key)
    count = scans.begin(resume=resume)
    if resume:
        voice.say(
            f"{count} files are finished" if count else "nothing is finished: everything is read"
        )
    place = output.place()
    own = store.own_files() | (frozenset() if place is None else {place})

    def sync() -> None:
        output.sync()
        if sent is not None:
            sent.flush()

    return ScanJournal(
        scans, Surroundings(own, sync, tally.notice, output.progress, _trouble, _now_ms)
    )


def _trouble(text: str) -> None:
    voice.warning(f"{text}: files that are not marked are read again by --resume")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
