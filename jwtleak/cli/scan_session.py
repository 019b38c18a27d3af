"""One scan on the command line, from its options to its exit status.

Promises: what was found before a failure or an interrupt is shown; what was not read, suppressed or
not sent is reported.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click
import msgspec
import stringzilla

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.wire import LIVE, Selection, WireAlert
from jwtleak.cli import voice
from jwtleak.cli.options import read_config
from jwtleak.cli.output import Output, open_output, write_file
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.redaction import redact_text
from jwtleak.formats import interface as formats
from jwtleak.runtime.assessment import AssessmentOptions, prepare
from jwtleak.runtime.scan.scan import Scan, Tally, make_plan
from jwtleak.runtime.scan.worker import Plan
from jwtleak.runtime.state_dir import subject_key
from jwtleak.sources.interface import ArchiveLimits, Entry, Notify, list_entries
from jwtleak.sources.stdin import StdinStream
from jwtleak.types import SEVERITIES
from jwtleak.version import __version__

if TYPE_CHECKING:
    # Loaded where an option asks for them: a plain scan starts without SQLite and TOML.
    from jwtleak.cli.sinks import Sending
    from jwtleak.runtime.config import ConfigFile
    from jwtleak.runtime.scan.resume import ScanJournal
    from jwtleak.store import Store


class ScanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one call, as click parsed them."""

    paths: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    jobs: int
    every: bool
    status: tuple[str, ...]
    only_live: bool
    config: str | None
    baseline: str | None
    write_baseline: str | None
    show_suppressed: bool
    jwks: tuple[str, ...]
    weak_keys: str | None
    weak_keys_time: float
    min_severity: Any
    min_confidence: Any
    fail_on: str
    now: float | None
    leeway: int
    output: str | None
    format: str | None
    timestamp: Any
    progress: bool
    patterns: tuple[str, ...]
    max_token: int
    max_archive_bytes: int
    max_ratio: int
    max_depth: int
    state: str | None
    resume: bool
    sink: tuple[str, ...]
    sink_config: str | None
    sink_deadline: float

    def key(self, patterns: UserPatterns) -> str:
        """A digest of everything that decides which alerts a scan yields, the program's version
        among it: with another key, `--resume` reads everything again.
        """
        places = sorted({os.fsencode(os.path.realpath(path)) for path in self.paths})
        deciding = {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if name not in _NOT_DECIDING
        }
        what = msgspec.msgpack.encode([__version__, places, deciding, patterns.patterns])
        digest: bytes = stringzilla.sha256(what)
        return digest.hex()[:32]


# Options that do not change which alerts a scan yields: it may be resumed with other values. Paths
# count as what they lead to, patterns as what is in them.
_NOT_DECIDING = (
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


class Interrupt:
    """Ctrl-C while files are scanned: the first asks for an orderly end; another one, or _GRACE,
    forces it.
    """

    # Seconds. Work stops within milliseconds, unless a file system hangs or nothing in a huge tree
    # matches --include.
    _GRACE = 1.0

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.seen = self.forced = False
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


def _selection(options: ScanOptions) -> Selection:
    statuses: Any = frozenset(options.status)
    least = options.min_severity
    if options.only_live:
        statuses = (statuses or LIVE) & LIVE
        if not statuses:
            raise click.UsageError("--only-live leaves nothing of --status")
        least = "low" if least == "info" else least
    return Selection(least, options.min_confidence, statuses, options.show_suppressed)


def _plan(options: ScanOptions, config: ConfigFile | None) -> Plan:
    key, kept = subject_key()
    if not kept:
        voice.warning(
            "no place to keep this installation's key: subject hashes will differ in the next run"
        )
    now = time.time() if options.now is None else options.now
    assessment = AssessmentOptions(
        config=config,
        baseline=options.baseline,
        jwks=options.jwks,
        weak_keys=options.weak_keys,
        weak_keys_time=options.weak_keys_time,
    )
    context = AlertContext(now, os.uname().nodename, key, options.leeway)
    return make_plan(
        prepare(context, assessment, voice.warning),
        ArchiveLimits(options.max_archive_bytes, options.max_ratio, options.max_depth),
        options.patterns,
        every=options.every,
        max_token=options.max_token,
    )


class ScanSession:
    """One scan, from its options to its exit status."""

    def __init__(self, options: ScanOptions) -> None:
        self._options = options
        self._selection = _selection(options)
        self._baseline: set[str] = set()
        self._tally = Tally()
        self._leaked = False
        self._closed = False
        self._journal: ScanJournal | None = None
        self._sending: Sending | None = None

    def run(self) -> int:
        """Scan and report; returns the exit status."""
        started = time.monotonic()
        options = self._options
        with ExitStack() as stack:
            # The state is locked before FILE of --output is opened: a second run must not empty
            # the FILE of the first.
            store = self._open_state(stack)
            config = read_config(options.config)
            plan = _plan(options, config)
            self._sending = self._open_sinks(config, store, stack)
            status = 3  # of a scan that fails from here on
            try:
                output = self._open_output()
                self._journal = self._make_journal(store, plan, output)
                status = self._scan(Scan(plan, self._selection, self._tally), output, started)
            finally:
                # However the scan ended, what was found is delivered.
                if self._sending is not None:
                    status = self._sending.finish(status)
        return status

    def _open_state(self, stack: ExitStack) -> Store | None:
        if self._options.state is None:
            return None
        from jwtleak.cli.resume import open_state

        return stack.enter_context(open_state(self._options.state))

    def _open_sinks(
        self, config: ConfigFile | None, store: Store | None, stack: ExitStack
    ) -> Sending | None:
        """The sinks of --sink; without any, those of the configuration file."""
        options = self._options
        if options.sink_config is not None and options.sink_config != options.config:
            config = read_config(options.sink_config)
        where = options.sink_config or options.config or ""
        if not (options.sink or (config is not None and config.sink)):
            return None
        from jwtleak.cli.sinks import Sending, chosen

        return Sending(chosen(options.sink, config, where), store, options.sink_deadline, stack)

    def _open_output(self) -> Output:
        options = self._options
        form = options.format or (None if options.state is None else "json")
        root = None
        if form == "sarif":
            try:
                root = redact_text(os.getcwd())
            except FileNotFoundError:  # somebody removed the working directory
                root = None
        return open_output(
            options.output,
            form,
            self._tally,
            progress=options.progress,
            options=formats.FormatOptions(timestamp=options.timestamp, root=root),
            append=options.resume,
        )

    def _make_journal(self, store: Store | None, plan: Plan, output: Output) -> ScanJournal | None:
        if store is None:
            return None
        from jwtleak.cli.resume import make_journal

        return make_journal(
            store,
            self._options.key(plan.patterns),
            self._tally,
            output,
            resume=self._options.resume,
            flush_sinks=None if self._sending is None else self._sending.flush,
        )

    def _scan(self, scan: Scan, output: Output, started: float) -> int:
        """Show the alerts; returns the exit status. A scan ends in one of these ways:

        ending               shown                                  status
        finished             everything                             0, 1 leaks, 3 unread
        interrupted once     what was found; workers stop early     130
        interrupted again,   what was found, and what was still     130
          or while reading     being grouped
          standard input
        reader gone          nothing more                           0, 1 leaks
        failed               what was found; the document is ended  by `cli.main`: 2 or 3
        """
        interrupt = Interrupt(scan.stop)
        alerts = self._alerts(scan, output, interrupt)
        while True:
            try:
                self._show(alerts, output)
                self._close(output, started, complete=not interrupt.seen)
                break
            except KeyboardInterrupt:
                if interrupt.forced:
                    raise
                interrupt.seen = interrupt.forced = True
                # A second round rather than a call here: showing these can end in the same ways.
                alerts = scan.rest()
            except BrokenPipeError:
                voice.forget_stdout()
                return 1 if self._leaked else 0
            except Exception:
                self._close(output, started, complete=False)
                raise
        if interrupt.seen:
            self._report_interrupt(scan.unfinished())
            return 130
        if self._options.write_baseline is not None:
            from jwtleak.assess.policy import write_baseline

            write_file(self._options.write_baseline, write_baseline(self._baseline))
        if self._leaked:
            return 1
        return 3 if self._tally.unread else 0

    def _alerts(self, scan: Scan, output: Output, interrupt: Interrupt) -> Iterator[WireAlert]:
        options = self._options
        if options.paths == ("-",):
            # No `interrupt` here: a read that waits for a writer must end at the first Ctrl-C.
            now = options.now
            yield from scan.stdin(StdinStream(), time.time if now is None else lambda: now)
            return
        total = None
        if output.wants_total:
            total = sum(entry.size for entry in self._walk(lambda _: None))
        output.start(total)
        with interrupt:
            entries = self._walk(self._tally.notice)
            yield from scan.files(entries, options.jobs, output.progress, self._journal)

    def _walk(self, notice: Notify) -> Iterator[Entry]:
        options = self._options
        return list_entries(options.paths, options.include, options.exclude, notice=notice)

    def _show(self, alerts: Iterator[WireAlert], output: Output) -> None:
        limit = self._options.fail_on
        keep = self._options.write_baseline is not None
        for alert in alerts:
            if keep:
                self._baseline.add(alert.baseline_name())
            if (
                limit != "never"
                and not alert.suppressed
                and SEVERITIES.index(alert.severity) <= SEVERITIES.index(limit)
            ):
                self._leaked = True
            output.alert(alert)
            if self._sending is not None and not alert.suppressed:
                self._sending.add(alert)

    def _close(self, output: Output, started: float, *, complete: bool) -> None:
        # Once: where closing itself fails (a full disk), a second attempt would hide why.
        if self._closed:
            return
        self._closed = True
        if self._journal is not None:
            self._journal.close()
        output.close(time.monotonic() - started, complete=complete)
        _report(self._tally, self._options)

    def _report_interrupt(self, first: str | None) -> None:
        if self._options.paths == ("-",):
            voice.warning(f"interrupted after {self._tally.bytes_read} bytes of standard input")
        elif first is None:
            voice.warning("interrupted")
        else:
            voice.warning(f"interrupted: not scanned whole: {first}, and all that follows it")
        if self._journal is not None:
            voice.hint("go on with --resume")


def _report(tally: Tally, options: ScanOptions) -> None:
    """Report what was not read, suppressed or not tried."""
    for notice in tally.notices:
        where = notice.path if notice.member is None else f"{notice.path}!{notice.member}"
        if notice.kind == "unreadable":
            # An error for what the user named, a warning for what was found on the way.
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
            f"{tally.suppressed} findings kept back by the policy or the baseline: "
            "--show-suppressed shows them"
        )
    if tally.untried:
        voice.warning(
            f"the time for --weak-keys ran out for {tally.untried} tokens: "
            "--weak-keys-time gives more"
        )
    if tally.slow_patterns:
        voice.warning(
            f"user patterns ran out of time {tally.slow_patterns} times: some hits may be missing"
        )
