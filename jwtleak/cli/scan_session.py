"""One scan, from its options to its exit status.

Promises: what was found before a failure or an interrupt is shown; what was not read, kept back or
not sent is said.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.wire import LIVE, Selection, WireAlert
from jwtleak.cli import voice
from jwtleak.cli.main import forget_stdout
from jwtleak.cli.output import Output, open_output, write_file
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.redaction import redact_text
from jwtleak.formats import interface as formats
from jwtleak.patterns import builtin_channels
from jwtleak.runtime.assessment import AssessmentOptions, prepare
from jwtleak.runtime.scan.scan import Scan, Tally
from jwtleak.runtime.scan.worker import Plan
from jwtleak.runtime.state_dir import subject_key
from jwtleak.sources.interface import ArchiveLimits, Notify
from jwtleak.sources.stdin import StdinStream
from jwtleak.sources.walk import Entry, walk
from jwtleak.types import SEVERITIES

if TYPE_CHECKING:
    from jwtleak.cli.scan import ScanOptions
    from jwtleak.cli.sinks import Sending
    from jwtleak.runtime.scan.resume import ScanJournal
    from jwtleak.store import Store


# Ctrl-C: an orderly end, which gives what was found; then a forced one.


class Interrupt:
    """Ctrl-C while files are scanned: the first asks for an orderly end; another one, or _GRACE,
    forces it.
    """

    # Seconds. Work stops within milliseconds, unless a file system hangs or nothing in a huge tree
    # matches --include.
    _GRACE = 1.0

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.seen = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._handle)
        if hasattr(signal, "SIGALRM"):
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "SIGALRM"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, *_: object) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True
        if hasattr(signal, "SIGALRM"):
            signal.setitimer(signal.ITIMER_REAL, self._GRACE)
        self._stop()


def _plan(options: ScanOptions) -> Plan:
    key, kept = subject_key()
    if not kept:
        voice.warning(
            "no place to keep this installation's key: subject hashes will differ in the next run"
        )
    now = time.time() if options.now is None else options.now
    asked = AssessmentOptions(
        options.config, options.baseline, options.jwks, options.weak_keys, options.weak_keys_time
    )
    return Plan(
        prepare(AlertContext(now, os.uname().nodename, key, options.leeway), asked, voice.warning),
        ArchiveLimits(options.max_archive_bytes, options.max_ratio, options.max_depth),
        Channels(builtin_channels),
        _user_patterns(options.patterns),
        options.every,
        options.max_token,
    )


def _user_patterns(directories: tuple[str, ...]) -> UserPatterns:
    if not directories:
        return UserPatterns()
    from jwtleak.patterns import load_user_patterns

    return load_user_patterns(directories)


def _here() -> str | None:
    """The working directory, as it may be shown; None where it is gone."""
    try:
        return redact_text(os.getcwd())
    except FileNotFoundError:
        return None


def _selection(options: ScanOptions) -> Selection:
    statuses: Any = frozenset(options.status)
    least = options.min_severity
    if options.only_live:
        statuses = (statuses or LIVE) & LIVE
        if not statuses:
            raise click.UsageError("--only-live leaves nothing of --status")
        least = "low" if least == "info" else least
    return Selection(least, options.min_confidence, statuses, options.show_suppressed)


class ScanSession:
    """One scan, from its options to its exit status."""

    def __init__(self, options: ScanOptions) -> None:
        self._options = options
        self._selection = _selection(options)
        self._baseline: set[str] = set()
        self._tally = Tally()
        self._failed = False
        self._ledger: ScanJournal | None = None
        self._sending: Sending | None = None

    def run(self) -> int:
        """Do it; gives the exit status."""
        started = time.monotonic()
        with ExitStack() as stack:
            store = self._store(stack)
            plan = _plan(self._options)
            self._sending = self._sinks(store, stack)
            try:
                status = self._outputs(store, plan, started)
            except BaseException:
                if self._sending is not None:
                    self._sending.finish(3)
                raise
            return status if self._sending is None else self._sending.finish(status)

    def _outputs(self, store: Store | None, plan: Plan, started: float) -> int:
        output = self._output()
        self._ledger = None if store is None else self._make_ledger(store, plan, output)
        return self._scan(Scan(plan, self._selection, self._tally), output, started)

    def _sinks(self, store: Store | None, stack: ExitStack) -> Sending | None:
        given = self._options
        if not given.sink and given.sink_config is None:
            return None
        from jwtleak.cli.sinks import Sending, chosen

        return Sending(chosen(given.sink, given.sink_config), store, given.sink_deadline, stack)

    def _store(self, stack: ExitStack) -> Store | None:
        """The state, before FILE is opened: a second run must not empty the FILE of the first."""
        if self._options.state is None:
            return None
        from pathlib import Path

        from jwtleak.cli.resume import open_state

        return stack.enter_context(open_state(Path(self._options.state)))

    def _output(self) -> Output:
        given = self._options
        form = given.format or (None if given.state is None else "json")
        options = formats.FormatOptions(
            timestamp=given.timestamp, root=_here() if form == "sarif" else None
        )
        return open_output(
            given.output,
            form,
            self._tally,
            progress=given.progress,
            options=options,
            append=given.resume,
        )

    def _make_ledger(self, store: Store, plan: Plan, output: Output) -> ScanJournal:
        from jwtleak.cli.resume import key_of, make_ledger

        key = key_of(self._options, plan.patterns)
        return make_ledger(
            store, key, self._tally, output, resume=self._options.resume, sent=self._sending
        )

    def _scan(self, scan: Scan, output: Output, started: float) -> int:
        interrupt = Interrupt(scan.stop)
        try:
            self._work(scan, output, interrupt, started)
        except BrokenPipeError:
            forget_stdout()
            return 1 if self._failed else 0
        if self._options.write_baseline is not None and not interrupt.seen:
            from jwtleak.assess.policy import write_baseline

            write_file(self._options.write_baseline, write_baseline(self._baseline))
        if interrupt.seen:
            self._unfinished(scan.unfinished())
            return 130
        if self._failed:
            return 1
        return 3 if self._tally.unread else 0

    def _work(self, scan: Scan, output: Output, interrupt: Interrupt, started: float) -> None:
        try:
            self._show(self._alerts(scan, output, interrupt), output)
        except KeyboardInterrupt:
            interrupt.seen = True
            self._show(scan.rest(), output)
        except BrokenPipeError:
            raise
        except Exception:
            # What was found before the failure is shown; the failure itself is told above.
            self._close(output, started, complete=False)
            raise
        self._close(output, started, complete=not interrupt.seen)

    def _close(self, output: Output, started: float, *, complete: bool) -> None:
        if self._ledger is not None:
            self._ledger.close()
        output.close(time.monotonic() - started, complete=complete)
        _explain(self._tally, self._options)

    def _unfinished(self, first: str | None) -> None:
        if self._options.paths == ("-",):
            voice.warning(f"interrupted after {self._tally.bytes_read} bytes of standard input")
        elif first is None:
            voice.warning("interrupted")
        else:
            voice.warning(f"interrupted: not scanned whole: {first}, and all that follows it")
        if self._ledger is not None:
            voice.hint("go on with --resume")

    def _alerts(self, scan: Scan, output: Output, interrupt: Interrupt) -> Iterator[WireAlert]:
        options = self._options
        if options.paths == ("-",):
            fixed = options.now
            yield from scan.stdin(StdinStream(), time.time if fixed is None else lambda: fixed)
            return
        total = None
        if output.wants_total:
            total = sum(entry.size for entry in self._walk(lambda _: None))
        output.start(total)
        with interrupt:
            yield from scan.files(
                self._walk(self._tally.notice), options.jobs, output.progress, self._ledger
            )

    def _walk(self, notice: Notify) -> Iterator[Entry]:
        options = self._options
        return walk(options.paths, options.include, options.exclude, notice=notice)

    def _show(self, alerts: Iterator[WireAlert], output: Output) -> None:
        limit = self._options.fail_on
        keep = self._options.write_baseline is not None
        for alert in alerts:
            if keep:
                self._baseline.add(alert.known_name())
            if (
                limit != "never"
                and not alert.suppressed
                and SEVERITIES.index(alert.severity) <= SEVERITIES.index(limit)
            ):
                self._failed = True
            output.alert(alert)
            if self._sending is not None and not alert.suppressed:
                self._sending.add(alert)


def _explain(tally: Tally, options: ScanOptions) -> None:
    """Say what was not read, kept back or not tried."""
    for notice in tally.notices:
        where = notice.path if notice.member is None else f"{notice.path}!{notice.member}"
        if notice.kind == "unreadable":
            named = notice.path in options.paths or options.paths == ("-",)
            say = voice.error if named else voice.warning
            say(f"{where}: {notice.reason}")
        else:
            voice.warning(f"{where}: {notice.kind}: {notice.reason}")
    more = sum(tally.notice_kinds.values()) - len(tally.notices)
    if more:
        voice.warning(f"{more} more inputs could not be read whole")
    if tally.suppressed and not options.show_suppressed:
        voice.say(
            f"{tally.suppressed} findings kept back by the policy or the baseline: --show-suppressed shows them"
        )
    if tally.untried:
        voice.warning(
            f"the time for --weak-keys ran out for {tally.untried} tokens: --weak-keys-time gives more"
        )
    if tally.slow_patterns:
        voice.warning(
            f"user patterns ran out of time {tally.slow_patterns} times: some hits may be missing"
        )
