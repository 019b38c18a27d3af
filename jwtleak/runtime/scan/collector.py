"""The collector: from the findings of one stream to its records, grouped as is asked.

Promises: a further sighting of a token costs its recognition and no more, where nothing more is
said of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.alerts.grouping import Every, Grouping
from jwtleak.alerts.wire import WireAlert, to_wire
from jwtleak.core.engine import Engine
from jwtleak.core.fingerprint import SeenTokens
from jwtleak.core.redaction import redact_text
from jwtleak.sources.interface import Notice
from jwtleak.types import Finding, StreamInfo

# Names of streams as they may be shown: a path or the name of an archive member can hold a token
# too.


def safe_info(info: StreamInfo) -> StreamInfo:
    """`info` with names that may be shown."""
    path = info.path and redact_text(info.path)
    member = info.member and redact_text(info.member)
    return (
        info
        if path == info.path and member == info.member
        else replace(info, path=path, member=member)
    )


def safe_notice(notice: Notice) -> Notice:
    """`notice` with names that may be shown."""
    path, member = redact_text(notice.path), notice.member and redact_text(notice.member)
    return (
        notice
        if path == notice.path and member == notice.member
        else replace(notice, path=path, member=member)
    )


class Collector:
    """The records of one stream. The engine is to be opened with `sighted`. What makes alerts is
    made for the first finding: most files hold none, and for a small one it takes as long as
    scanning it.
    """

    def __init__(
        self,
        alert_context: AlertContext,
        engine: Engine,
        info: StreamInfo,
        grouping: Grouping | Every,
    ) -> None:
        self._alert_context = alert_context
        self._engine = engine
        self._info = info
        self._builder: Builder | None = None
        self._grouping = grouping
        # Whether a policy keeps a sighting back depends on its place, so each place is looked at;
        # hits of user patterns are put between the tokens only after these were counted.
        counted = alert_context.policy is None and not engine.has_patterns
        self.sighted = (
            SeenTokens(grouping.capacity) if counted and not isinstance(grouping, Every) else None
        )

    def at(self, now: float) -> None:
        """What comes next is found at `now`, in Unix seconds."""
        self._alert_context = replace(self._alert_context, now=now)
        if self._builder is not None:
            self._builder.at(self._alert_context)

    def add(self, findings: list[Finding]) -> Iterator[WireAlert]:
        """More findings; gives out what need not wait, or no longer can."""
        if not findings:
            return
        if self._builder is None:
            self._builder = Builder(safe_info(self._info), self._alert_context)
        for finding in findings:
            if finding.repeat:
                assert not isinstance(self._grouping, Every)
                self._grouping.again(finding.sha256, finding.offset)
            else:
                yield from self._grouping.add(
                    to_wire(self._builder.build(finding, self._engine.occurrence(finding)))
                )

    def drain(self) -> Iterable[WireAlert]:
        """What has waited."""
        return self._grouping.drain()

    @property
    def untried(self) -> int:
        """See `Builder.untried`."""
        return 0 if self._builder is None else self._builder.untried
