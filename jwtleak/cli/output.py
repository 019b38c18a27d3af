"""Where alerts go: JSON Lines or another format into a pipe or file, a table on a terminal; a
progress bar beside either.

Promises: each line is flushed at once; a document is begun before the first alert and ended also
when the scan is broken off; a table holds a bounded number of rows; a bar appears only where a
person looks at standard error.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from typing import IO, Protocol, TextIO

from jwtleak.alerts.fields import rfc3339
from jwtleak.alerts.wire import WireAlert
from jwtleak.errors import UsageError, reason_of
from jwtleak.formats.interface import (
    DOCUMENTS,
    Document,
    Ending,
    Format,
    FormatOptions,
    by_name,
    document,
)
from jwtleak.runtime.scan.scan import Tally

# How each alert begins, and more bytes than an alert can have: its fields are cut to 256
# characters, its lists to 16.
_OURS = b'{"schema":"jwtleak/'
_LONGEST_LINE = 1 << 20


class Bar(Protocol):
    """A progress bar."""

    def start(self, total: int | None) -> None: ...
    def advance(self, count: int) -> None: ...
    def stop(self) -> None: ...


class Shows(Protocol):
    """Writes alerts in one form. `complete` is False when the scan was broken off."""

    def alert(self, alert: WireAlert) -> None: ...
    def close(self, tally: Tally, seconds: float, *, complete: bool = True) -> None: ...


class Output:
    """Shows alerts. `close` ends it and gives the summary."""

    def __init__(
        self, sink: Shows, bar: Bar | None, tally: Tally, own: IO[bytes] | TextIO | None = None
    ) -> None:
        self._sink = sink
        self._own = own  # closed at the end
        self._bar = bar
        self._tally = tally
        self.wants_total = bar is not None

    def start(self, total: int | None) -> None:
        """Work begins; `total` bytes are to be read, if known."""
        if self._bar is not None:
            self._bar.start(total)

    def progress(self, count: int) -> None:
        """`count` more bytes are done."""
        if self._bar is not None:
            self._bar.advance(count)

    def alert(self, alert: WireAlert) -> None:
        """One alert."""
        self._sink.alert(alert)

    def sync(self) -> None:
        """Every alert so far is where it stays after a crash."""
        if isinstance(self._sink, Lines):
            self._sink.sync()

    def place(self) -> tuple[int, int] | None:
        """(device, inode) of a file that alerts are written to."""
        return self._sink.place() if isinstance(self._sink, Lines) else None

    def close(self, seconds: float, *, complete: bool = True) -> None:
        """All is shown, or the scan was broken off."""
        if self._bar is not None:
            self._bar.stop()
        try:
            self._sink.close(self._tally, seconds, complete=complete)
        finally:
            if self._own is not None:
                # Even where the disk is full: closed at the exit of the program, it would report
                # that a second time.
                self._own.close()


class Lines:
    """JSON Lines. Lines to a pipe leave at once; to a file they are gathered by its buffer."""

    def __init__(self, file: IO[bytes], *, flush: bool) -> None:
        self._write = file.write
        self._flush: Callable[[], None] | None = file.flush if flush else None
        self._file = file
        self._synced = 0

    def alert(self, alert: WireAlert) -> None:
        """One line."""
        self._write(alert.json() + b"\n")
        if self._flush is not None:
            self._flush()

    def sync(self) -> None:
        """Everything so far has left; where the output is a file, it is on the disk."""
        self._file.flush()
        if self.place() is not None:
            end = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
            if end != self._synced:
                os.fsync(self._file.fileno())
            self._synced = end

    def place(self) -> tuple[int, int] | None:
        """(device, inode), where the output is a file."""
        found = os.fstat(self._file.fileno())
        return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None

    def close(self, tally: Tally, seconds: float, *, complete: bool = True) -> None:
        """Everything is on its way."""
        self._file.flush()


class Events:
    """A format other than JSON with one event a line."""

    def __init__(self, file: IO[bytes], form: Format, *, flush: bool) -> None:
        self._form = form
        self._file = file
        self._each = flush

    def alert(self, alert: WireAlert) -> None:
        """One line."""
        self._file.write(self._form.encode(alert.alert()) + b"\n")
        if self._each:
            self._file.flush()

    def close(self, tally: Tally, seconds: float, *, complete: bool = True) -> None:
        """Everything is on its way."""
        self._file.flush()


class Whole:
    """One document of all alerts. Nothing is flushed before its end: half of a document is of no
    use to a reader.
    """

    def __init__(self, file: IO[bytes], form: Document) -> None:
        self._form = form
        self._file = file
        self._between = b""
        self._began = time.time()
        file.write(form.begin())

    def alert(self, alert: WireAlert) -> None:
        """One item."""
        if not alert.repeat or self._form.repeats:
            self._file.write(self._between + self._form.encode(alert.alert()))
            self._between = self._form.between

    def close(self, tally: Tally, seconds: float, *, complete: bool = True) -> None:
        """The document is whole."""
        began, ended = (
            rfc3339(int(moment * 1000)) for moment in (self._began, self._began + seconds)
        )
        self._file.write(self._form.end(Ending(began, ended, complete, tally.unread)))
        self._file.flush()


def open_output(
    path: str | None,
    form: str | None,
    tally: Tally,
    *,
    progress: bool,
    options: FormatOptions | None = None,
    append: bool = False,
) -> Output:
    """The output for `--output` and `--format`. Raises UsageError where FILE cannot be written."""
    terminal = path is None and sys.stdout.isatty()
    bar = None
    if progress and sys.stderr.isatty():
        from jwtleak.cli.progress import make_bar

        bar = make_bar(tally)
    if (form or ("table" if terminal else "json")) == "table":
        from jwtleak.cli.table import Table

        text = _text(path)
        return Output(Table(text), bar, tally, None if path is None else text)
    if path is None:
        return Output(
            _shows(sys.stdout.buffer, form, options or FormatOptions(), flush=True), bar, tally
        )
    file = open_private(path, append=append)
    return Output(_shows(file, form, options or FormatOptions(), flush=False), bar, tally, file)


def _shows(file: IO[bytes], form: str | None, options: FormatOptions, *, flush: bool) -> Shows:
    if form in (None, "json"):
        return Lines(file, flush=flush)
    assert form is not None
    if form in DOCUMENTS:
        return Whole(file, document(form, options))
    return Events(file, by_name(form, options), flush=flush)


def open_private(path: str, *, append: bool = False) -> IO[bytes]:
    """FILE of `--output`, mode 0600: alerts are redacted, but they are a map of what leaked where.
    Raises UsageError.
    """
    flags = os.O_RDWR | os.O_APPEND if append else os.O_WRONLY | os.O_TRUNC
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if append:
            _mend(fd)
        return os.fdopen(fd, "wb")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {reason_of(error).lower()}") from None


def _mend(fd: int) -> None:
    """Cut off a last line that a crash left unfinished: its alert comes again. What was not written
    by us is kept.
    """
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return
    start = size = os.fstat(fd).st_size
    line = b""
    while start and b"\n" not in line and len(line) < _LONGEST_LINE:
        start = max(0, start - 65536)
        line = os.pread(fd, size - start, start)
    line = line.rpartition(b"\n")[2]
    if line and (line.startswith(_OURS) or _OURS.startswith(line)):
        os.ftruncate(fd, size - len(line))
    elif line:
        os.write(fd, b"\n")


def write_file(path: str, data: bytes) -> None:
    """Write `data` beside `path` and into its place, whole or not at all. Raises UsageError."""
    part = f"{path}.part"
    with open_private(part) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.replace(part, path)
    except OSError as error:
        os.unlink(part)
        raise UsageError(f"cannot write {path}: {reason_of(error).lower()}") from None


def _text(path: str | None) -> TextIO:
    if path is None:
        return sys.stdout
    open_private(path).close()
    return open(path, "w", encoding="utf-8")
