"""`scan --state`: opens the state and makes the journal of a scan.

Promises: without the option this module is not loaded; it is a module of its own only for that,
since it brings SQLite along, which takes longer to load than a small scan takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jwtleak.cli import voice
from jwtleak.cli.output import Output
from jwtleak.errors import StoreFull
from jwtleak.runtime.scan.resume import JournalHooks, ScanJournal
from jwtleak.runtime.scan.scan import Tally
from jwtleak.store import Store


def open_state(directory: str) -> Store:
    """Open the store and prune what is too old to resume from. Raises StoreError."""
    store = Store.open(Path(directory))
    if store.set_aside is not None:
        voice.warning(f"the state was damaged and is begun anew; the old one is {store.set_aside}")
    try:
        store.prune(_now_ms())
    except StoreFull as full:
        _trouble(str(full))
    return store


def make_journal(
    store: Store,
    key: str,
    tally: Tally,
    output: Output,
    *,
    resume: bool,
    flush_sinks: Callable[[], None] | None = None,
) -> ScanJournal:
    """The journal of the scan `key`, emptied unless the scan is resumed.

    A file is marked as finished when its alerts are durable everywhere: `flush_sinks` stores those
    that wait for sinks.
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
        if flush_sinks is not None:
            flush_sinks()

    return ScanJournal(
        scans,
        JournalHooks(
            own=own,
            sync=sync,
            notice=tally.notice,
            skipped=output.progress,
            trouble=_trouble,
            clock_ms=_now_ms,
        ),
    )


def _trouble(text: str) -> None:
    voice.warning(f"{text}: files that are not marked are read again by --resume")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
