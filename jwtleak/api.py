"""The library: find, redact and report tokens in bytes, files, directories and archives.

Promises: typed; what it yields never shows a token; `scan_path` and `scan_bytes` yield the alerts
that `jwtleak scan` writes, with the same ids; what could not be read is reported. `Finder`,
`Redactor`, `scan`, `redact` and `alert` do no I/O but read the pattern files of the package, once.
Refuses to connect anywhere, unless a configuration names the keys of issuers.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.assess.lifetime import DEFAULT_LEEWAY
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.core.redaction import Redactor
from jwtleak.errors import JwtleakError
from jwtleak.patterns import builtin_channels, load_tables
from jwtleak.sources.interface import ArchiveLimits, Notice, list_entries
from jwtleak.types import MAX_TOKEN, Confidence, Finding, Severity, Status, StreamInfo

if TYPE_CHECKING:
    from jwtleak.runtime.scan.scan import Scan, Tally

__all__ = [
    "ArchiveLimits",
    "Finder",
    "Finding",
    "JwtleakError",
    "Notice",
    "Occurrence",
    "Options",
    "Redactor",
    "alert",
    "redact",
    "scan",
    "scan_bytes",
    "scan_path",
]


@lru_cache(maxsize=1)
def _channels() -> Channels:
    return Channels(builtin_channels)


class Occurrence(Finding, frozen=True):
    """A finding and its id: 40 hex characters, the same that `jwtleak scan` gives for the same
    bytes in a file.
    """

    id: str = ""


class Finder:
    """Finds tokens in one stream of bytes that comes in pieces of any size."""

    def __init__(self) -> None:
        self._engine = Engine(_channels())

    def feed(self, data: bytes) -> list[Occurrence]:
        """Return the findings that `data` completes, in order."""
        return self._named(self._engine.feed(data))

    def close(self) -> list[Occurrence]:
        """Return the findings that only the end of the stream completes. The finder is then ready
        for another stream.
        """
        findings = self._named(self._engine.close())
        self._engine.open()
        return findings

    def _named(self, findings: list[Finding]) -> list[Occurrence]:
        return [
            Occurrence(**msgspec.structs.asdict(finding), id=self._engine.occurrence(finding))
            for finding in findings
        ]


def scan(data: bytes) -> list[Occurrence]:
    """Return all tokens in `data`, of every confidence, in order. Archives are not unpacked: see
    `scan_bytes`.
    """
    finder = Finder()
    return finder.feed(data) + finder.close()


def redact(data: bytes) -> bytes:
    """Return `data` with every token, in whatever encoding, replaced by `[JWT ` and 8 hex
    characters of its SHA-256 and `]`.
    """
    redactor = Redactor()
    return redactor.feed(data) + redactor.close()


def alert(
    finding: Finding, *, now: float, key: bytes, path: str | None = None, name: str | None = None
) -> Alert:
    """Return the alert for `finding`, judged at `now` (Unix seconds).

    `key` keys the HMAC that takes the place of `sub`. `path` is the file that the alert names.
    `name` is the alert's id, 40 hex characters; that of `finding` where it is left out. Raises
    ValueError for a finding without an id.
    """
    if name is None:
        name = getattr(finding, "id", "")
        if not name:
            raise ValueError("name: needed for a finding that has no id")
    context = AlertContext(now, None, key, load_tables=load_tables)
    return Builder(StreamInfo("file" if path else "stdin", path), context).build(finding, name)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `scan_path` and `scan_bytes` report, and how. Each field is the option of `jwtleak scan`
    of the same name, with the same default.

    `now` is in Unix seconds (None: the time of the call), `leeway` in seconds. `config`,
    `baseline`, `jwks` and `weak_keys` are paths; the sinks of `config` are not used. `patterns` are
    directories. `statuses` empty means all. `host` is the machine's name in alerts. `key` keys the
    HMAC that takes the place of `sub`; None means the key of this installation, which is made in
    the user's state directory where there is none yet.
    """

    min_severity: Severity = "info"
    min_confidence: Confidence = "medium"
    statuses: frozenset[Status] = frozenset()
    show_suppressed: bool = False
    every: bool = False
    patterns: tuple[str, ...] = ()
    limits: ArchiveLimits = ArchiveLimits()
    max_token: int = MAX_TOKEN
    now: float | None = None
    leeway: float = DEFAULT_LEEWAY
    host: str | None = None
    key: bytes | None = None
    config: str | None = None
    baseline: str | None = None
    jwks: tuple[str, ...] = ()
    weak_keys: str | None = None
    weak_keys_time: float = 1.0


_DEFAULTS = Options()
OnNotice = Callable[[Notice], None]


def _warn(notice: Notice) -> None:
    where = notice.path if notice.member is None else f"{notice.path}!{notice.member}"
    warnings.warn(f"{where}: {notice.kind}: {notice.reason}", stacklevel=2)


def scan_path(
    path: str | os.PathLike[str],
    options: Options = _DEFAULTS,
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    jobs: int = 1,
    notice: OnNotice = _warn,
) -> Iterator[Alert]:
    """Yield the alerts of a file, a directory and everything below it, or an archive, in the order
    of the files and of the offsets in them.

    `include` and `exclude` are globs, as for `jwtleak scan`. `jobs` above 1 forks worker processes
    for large inputs. `notice` is called with everything that could not be read whole; without it,
    that is a Python warning. Raises JwtleakError for options that cannot be used, before anything
    is read.
    """
    work, tally = _scan_of(options, notice)
    entries = list_entries((os.fspath(path),), include, exclude, notice=tally.notice)
    return (record.alert() for record in work.files(entries, jobs, lambda _: None))


def scan_bytes(
    data: bytes,
    options: Options = _DEFAULTS,
    *,
    name: str | None = None,
    notice: OnNotice = _warn,
) -> Iterator[Alert]:
    """Yield the alerts of bytes in memory; an archive is unpacked, as in a file.

    `name` is the path that the alerts show; without it their source is `stdin`. Otherwise as
    `scan_path`.
    """
    from jwtleak.sources.memory import MemoryStream

    work, _ = _scan_of(options, notice)
    return (record.alert() for record in work.stream(MemoryStream(data, name)))


def _scan_of(options: Options, notice: OnNotice) -> tuple[Scan, Tally]:
    # Loaded here: who only redacts should not wait for it.
    import time
    from pathlib import Path

    from jwtleak.alerts.wire import Selection
    from jwtleak.runtime.assessment import AssessmentOptions, prepare
    from jwtleak.runtime.scan.scan import Scan, Tally, make_plan
    from jwtleak.runtime.state_dir import subject_key

    config = None
    if options.config is not None:
        from jwtleak.runtime.config import ConfigFile
        from jwtleak.typed_toml import read

        config = read(Path(options.config), ConfigFile)
    assessment = AssessmentOptions(
        config=config,
        baseline=options.baseline,
        jwks=options.jwks,
        weak_keys=options.weak_keys,
        weak_keys_time=options.weak_keys_time,
    )
    now = time.time() if options.now is None else options.now
    key = subject_key()[0] if options.key is None else options.key
    context = AlertContext(now, options.host, key, options.leeway)
    context = prepare(context, assessment, lambda text: warnings.warn(text, stacklevel=2))
    plan = make_plan(
        context,
        options.limits,
        options.patterns,
        every=options.every,
        max_token=options.max_token,
    )
    selection = Selection(
        options.min_severity, options.min_confidence, options.statuses, options.show_suppressed
    )
    tally = Tally(notice)
    return Scan(plan, selection, tally), tally
