"""From findings to letters: builds the alert, names what it replaces, asks the roll-up whether it is told.

Promises: an alert that was given before its token had ended is not given again when nothing came after it, and is
replaced, by name, when more did.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from jwtleak.alerts.builder import Builder, Setting
from jwtleak.alerts.select import Selection
from jwtleak.alerts.wire import Record, write
from jwtleak.core.engine import Engine
from jwtleak.runtime.scan.shown import shown_info
from jwtleak.runtime.tail.alerting import Rollup
from jwtleak.runtime.tail.stream import Stream
from jwtleak.store.interface import Letter
from jwtleak.types import Finding, StreamInfo

# Makers of alerts that are kept, each for one stream: those of the streams that leak now.
BUILDERS = 256


class Announcer:
    """Makes letters. `setting` gives what alerts say beyond the finding, for a time; `clock` gives Unix seconds."""

    def __init__(
        self, setting: Callable[[float], Setting], selection: Selection, rollup: Rollup, clock: Callable[[], float]
    ) -> None:
        self._setting = setting
        self._selection = selection
        self._rollup = rollup
        self._clock = clock
        self._builders: OrderedDict[tuple[str, str], Builder] = OrderedDict()
        self.kept_back = 0  # sightings that the policy keeps back

    def tell(self, stream: Stream, engine: Engine, found: list[Finding], *, early: bool = False) -> Iterator[Letter]:
        """The letters for what was found in `stream`; `early`: more bytes could change it."""
        if found:
            yield from self._letters(stream, engine, found, early)
        if stream.early:
            stream.early = {at: name for at, name in stream.early.items() if at >= stream.offset}

    def _letters(self, stream: Stream, engine: Engine, found: list[Finding], early: bool) -> Iterator[Letter]:
        now = self._clock()
        builder = self._builder(stream, self._setting(now))
        for one in found:
            name = engine.occurrence(one)
            before = stream.early.get(one.offset)
            if before == name:
                continue
            alert = builder.build(one, name)
            if before is not None:
                alert = replace(alert, supersedes=before)
            record = write(alert)
            if not self._wants(record):
                continue
            if early:
                stream.early[one.offset] = name
            letter = self._rollup.see(stream.name, name, record, int(now * 1000), always=before is not None)
            if letter is not None:
                yield letter

    def _wants(self, record: Record) -> bool:
        if record.suppressed:
            self.kept_back += 1
            return False
        return self._selection.wants(record)

    def _builder(self, stream: Stream, setting: Setting) -> Builder:
        """One for each stream, since it remembers; another one when the stream has another path."""
        key = stream.name, stream.path
        builder = self._builders.get(key)
        if builder is None:
            builder = Builder(shown_info(StreamInfo("file", stream.path)), setting)
            if len(self._builders) >= BUILDERS:
                self._builders.popitem(last=False)
            self._builders[key] = builder
        self._builders.move_to_end(key)
        builder.at(setting)
        return builder
