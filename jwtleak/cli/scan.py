"""`jwtleak scan`: reads options, runs the scan, shows the alerts, says what was not read, chooses the exit status."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from jwtleak.alerts.build import Setting
from jwtleak.alerts.formats import interface as formats
from jwtleak.alerts.record import Record
from jwtleak.alerts.select import LIVE, Selection
from jwtleak.cli import voice
from jwtleak.cli.main import forget_stdout
from jwtleak.cli.options import MOMENT, SIZE, sink_options, worth_options
from jwtleak.cli.output import Output, open_output, write_file
from jwtleak.core.channel import Channels
from jwtleak.core.lifetime import DEFAULT_LEEWAY
from jwtleak.core.userpattern import UserPatterns
from jwtleak.patterns import builtin_channels
from jwtleak.runtime.installation import subject_key
from jwtleak.runtime.scan import Scan, Tally
from jwtleak.runtime.shown import shown
from jwtleak.runtime.work import Plan
from jwtleak.runtime.worth import Asked, prepare
from jwtleak.sources.interface import Limits, Notify
from jwtleak.sources.stdin import StdinStream
from jwtleak.sources.walk import Entry, walk
from jwtleak.types import CONFIDENCES, MAX_TOKEN, SEVERITIES, Status

if TYPE_CHECKING:
    from jwtleak.cli.sinks import Sending
    from jwtleak.runtime.resume import Ledger
    from jwtleak.store import Store

_STATUSES = Status.__args__  # type: ignore[attr-defined]
_SEVERITY = click.Choice(SEVERITIES)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one call, as given."""

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


@click.command("scan")
@click.argument("paths", nargs=-1, metavar="[PATH...|-]")
@click.option("--include", multiple=True, metavar="GLOB", help="Scan only files that match (repeatable; ** allowed).")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files that match; wins over --include.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), default=os.cpu_count() or 1,
              help="Processes.  [default: cores]")
@click.option("--every", is_flag=True, help="One alert for each sighting, not for each token and file.")
@click.option("--status", multiple=True, type=click.Choice(_STATUSES), help="Only tokens of this status (repeatable).")
@click.option("--only-live", is_flag=True,
              help="Only tokens that may work now and are not public: --status of those, --min-severity low.")
@click.option("--min-severity", type=_SEVERITY, default="info", show_default=True, help="Leave out what matters less.")
@click.option("--min-confidence", type=click.Choice(CONFIDENCES), default="medium", show_default=True,
              help="Leave out what is less certain.")
@click.option("--fail-on", type=click.Choice([*SEVERITIES, "never"]), default="info", show_default=True,
              help="Exit with 1 only for leaks of at least this severity.")
@click.option("--now", type=MOMENT, metavar="TIME", help="Judge expiry at this time instead of now.")
@click.option("--leeway", type=click.IntRange(0, 86400), default=DEFAULT_LEEWAY, show_default=True, metavar="SECONDS",
              help="Clock skew allowed when judging expiry.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), metavar="FILE", help="Write alerts to FILE.")
@click.option("--format", "-f", type=click.Choice(["table", *formats.NAMES]),
              help="How alerts are written; json is one a line.  [default: table on a terminal, else json]")
@click.option("--timestamp", type=click.Choice(["event", "detected"]), default="detected", show_default=True,
              help="Which time events of other formats stand at; the other one is kept too.")
@click.option("--no-progress", "progress", flag_value=False, default=True, type=bool, help="Show no progress bar.")
@worth_options
@click.option("--baseline", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Keep back the findings that FILE knows.")
@click.option("--write-baseline", type=click.Path(dir_okay=False), metavar="FILE",
              help="Write the findings of this scan to FILE, for --baseline.")
@click.option("--show-suppressed", is_flag=True, help="Show what the policy or the baseline keeps back.")
@click.option("--patterns", multiple=True, type=click.Path(exists=True, file_okay=False), metavar="DIR",
              help="Also look for the patterns in DIR (repeatable).")
@click.option("--max-token", type=SIZE, default=MAX_TOKEN, show_default=True, help="Longest token, in bytes.")
@click.option("--max-archive-bytes", type=SIZE, default=Limits().max_archive_bytes, show_default=True,
              help="Most bytes unpacked from one archive.")
@click.option("--max-ratio", type=click.IntRange(1), default=Limits().max_ratio, show_default=True,
              help="Highest compression ratio believed.")
@click.option("--max-depth", type=click.IntRange(0, 8), default=Limits().max_depth, show_default=True,
              help="Archives inside archives.")
@click.option("--state", type=click.Path(file_okay=False), metavar="DIR",
              help="Keep in DIR which files are finished, so that the scan can go on when it was broken off.")
@click.option("--resume", is_flag=True, help="Do not read again what is finished by --state; append to FILE of --output.")
@sink_options
def command(**given: Any) -> int:
    """Find tokens in files, directories, archives, or standard input (-).

    Archives (gzip, bzip2, xz, zstd, lz4, zip, tar) are recognised by content. Alerts are redacted.

    Exit status: 0 clean, 1 leaks found (see --fail-on), 2 wrong usage, 3 no leaks but some input could not be read (a
    PATH that does not exist is one) or a sink did not take every alert, 130 interrupted.
    """
    options = Options(**given)
    if not options.paths:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("nothing to scan: give a path, or - for standard input")
        options = msgspec.structs.replace(options, paths=("-",))
    if "-" in options.paths and len(options.paths) > 1:
        raise click.UsageError("- (standard input) cannot be scanned together with files")
    _check_state(options)
    if not 64 <= options.max_token <= MAX_TOKEN:
        raise click.UsageError(f"--max-token must be from 64 to {MAX_TOKEN}")
    return _Run(options).run()


def _check_state(options: Options) -> None:
    if options.state is None and options.resume:
        raise click.UsageError("--resume needs --state DIR")
    if options.state is not None and options.paths == ("-",):
        raise click.UsageError("standard input cannot be gone on with: --state is for files")
    if options.state is not None and options.format not in (None, "json"):
        raise click.UsageError("--state needs --format json: other formats cannot be gone on with")


def _plan(options: Options) -> Plan:
    key, kept = subject_key()
    if not kept:
        voice.warning("no place to keep this installation's key: subject hashes will differ in the next run")
    now = time.time() if options.now is None else options.now
    asked = Asked(options.config, options.baseline, options.jwks, options.weak_keys, options.weak_keys_time)
    return Plan(
        prepare(Setting(now, os.uname().nodename, key, options.leeway), asked, voice.warning),
        Limits(options.max_archive_bytes, options.max_ratio, options.max_depth),
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


class _Interrupt:
    """Ctrl-C while files are scanned: the first asks for an orderly end; another one, or _GRACE, forces it."""

    # Seconds. Work stops within milliseconds, unless a file system hangs or nothing in a huge tree matches --include.
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


def _here() -> str | None:
    """The working directory, as it may be shown; None where it is gone."""
    try:
        return shown(os.getcwd())
    except FileNotFoundError:
        return None


def _selection(options: Options) -> Selection:
    statuses: Any = frozenset(options.status)
    least = options.min_severity
    if options.only_live:
        statuses = (statuses or LIVE) & LIVE
        if not statuses:
            raise click.UsageError("--only-live leaves nothing of --status")
        least = "low" if least == "info" else least
    return Selection(least, options.min_confidence, statuses, options.show_suppressed)


class _Run:
    """One scan, from its options to its exit status."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._selection = _selection(options)
        self._baseline: set[str] = set()
        self._tally = Tally()
        self._failed = False
        self._ledger: Ledger | None = None
        self._sending: Sending | None = None

    def run(self) -> int:
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
        from jwtleak.cli.resume import open_state

        return stack.enter_context(open_state(Path(self._options.state)))

    def _output(self) -> Output:
        given = self._options
        form = given.format or (None if given.state is None else "json")
        options = formats.Options(timestamp=given.timestamp, root=_here() if form == "sarif" else None)
        return open_output(
            given.output, form, self._tally, progress=given.progress, options=options, append=given.resume
        )

    def _make_ledger(self, store: Store, plan: Plan, output: Output) -> Ledger:
        from jwtleak.cli.resume import key_of, make_ledger

        key = key_of(self._options, plan.patterns)
        return make_ledger(store, key, self._tally, output, resume=self._options.resume, sent=self._sending)

    def _scan(self, scan: Scan, output: Output, started: float) -> int:
        interrupt = _Interrupt(scan.stop)
        try:
            self._work(scan, output, interrupt, started)
        except BrokenPipeError:
            forget_stdout()
            return 1 if self._failed else 0
        if self._options.write_baseline is not None and not interrupt.seen:
            from jwtleak.alerts.policy import write_baseline

            write_file(self._options.write_baseline, write_baseline(self._baseline))
        if interrupt.seen:
            self._unfinished(scan.unfinished())
            return 130
        if self._failed:
            return 1
        return 3 if self._tally.unread else 0

    def _work(self, scan: Scan, output: Output, interrupt: _Interrupt, started: float) -> None:
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
        self._explain()

    def _unfinished(self, first: str | None) -> None:
        if self._options.paths == ("-",):
            voice.warning(f"interrupted after {self._tally.bytes_read} bytes of standard input")
        elif first is None:
            voice.warning("interrupted")
        else:
            voice.warning(f"interrupted: not scanned whole: {first}, and all that follows it")
        if self._ledger is not None:
            voice.hint("go on with --resume")

    def _alerts(self, scan: Scan, output: Output, interrupt: _Interrupt) -> Iterator[Record]:
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
            yield from scan.files(self._walk(self._tally.notice), options.jobs, output.progress, self._ledger)

    def _walk(self, notice: Notify) -> Iterator[Entry]:
        options = self._options
        return walk(options.paths, options.include, options.exclude, notice=notice)

    def _show(self, alerts: Iterator[Record], output: Output) -> None:
        limit = self._options.fail_on
        keep = self._options.write_baseline is not None
        for alert in alerts:
            if keep:
                self._baseline.add(alert.known_name())
            if limit != "never" and not alert.suppressed and SEVERITIES.index(alert.severity) <= SEVERITIES.index(limit):
                self._failed = True
            output.alert(alert)
            if self._sending is not None and not alert.suppressed:
                self._sending.add(alert)

    def _explain(self) -> None:
        tally = self._tally
        for notice in tally.notices:
            where = notice.path if notice.member is None else f"{notice.path}!{notice.member}"
            if notice.kind == "unreadable":
                named = notice.path in self._options.paths or self._options.paths == ("-",)
                say = voice.error if named else voice.warning
                say(f"{where}: {notice.reason}")
            else:
                voice.warning(f"{where}: {notice.kind}: {notice.reason}")
        more = sum(tally.notice_kinds.values()) - len(tally.notices)
        if more:
            voice.warning(f"{more} more inputs could not be read whole")
        if tally.suppressed and not self._options.show_suppressed:
            voice.say(f"{tally.suppressed} findings kept back by the policy or the baseline: --show-suppressed shows them")
        if tally.untried:
            voice.warning(f"the time for --weak-keys ran out for {tally.untried} tokens: --weak-keys-time gives more")
        if tally.slow_patterns:
            voice.warning(f"user patterns ran out of time {tally.slow_patterns} times: some hits may be missing")

