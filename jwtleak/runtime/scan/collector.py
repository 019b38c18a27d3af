"""The collector: turns the findings of one stream into alerts, and groups them.

Promises: a further sighting of a token costs no more than recognising it, where nothing but its
count is reported. A token in the name of a file or of an archive member is redacted too.
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


def safe_info(info: StreamInfo) -> StreamInfo:
    """`info` with tokens in its names redacted."""
    path = info.path and redact_text(info.path)
    member = info.member and redact_text(info.member)
    return (
        info
        if path == info.path and member == info.member
        else replace(info, path=path, member=member)
    )


def safe_notice(notice: Notice) -> Notice:
    """`notice` with tokens in its names redacted."""
    path, member = redact_text(notice.path), notice.member and redact_text(notice.member)
    return (
        notice
        if path == notice.path and member == notice.member
        else replace(notice, path=path, member=member)
    )


class Collector:
    """The alerts of one stream, whose engine must be opened with `sighted`."""

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
        # Repeats are only counted unless each needs its place: a policy may suppress a token in
        # one place and not in another, and hits of user patterns are sorted in between the tokens
        # after these were counted.
        counted = alert_context.policy is None and not engine.has_patterns
        self.sighted = (
            SeenTokens(grouping.capacity) if counted and not isinstance(grouping, Every) else None
        )

    def at(self, now: float) -> None:
        """Judge what is added from here on at `now` (Unix seconds)."""
        self._alert_context = replace(self._alert_context, now=now)
        if self._builder is not None:
            self._builder.at(self._alert_context)

    def add(self, findings: list[Finding]) -> Iterator[WireAlert]:
        """Add findings; yields the alerts that need not wait for the end of the stream, or no
        longer can.
        """
        if not findings:
            return
        if self._builder is None:
            # For the first finding only: most files have none, and making a builder takes as long
            # as scanning a small file.
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
        """The alerts that were still being grouped."""
        return self._grouping.drain()

    @property
    def untried(self) -> int:
        """See `Builder.untried`."""
        return 0 if self._builder is None else self._builder.untried
