"""Where alerts go: JSON Lines into a pipe or file, a table on a terminal; a progress bar beside either.

Promises: each line of JSON is flushed at once; a table holds a bounded number of rows; a bar appears only where a
person looks at standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Protocol, TextIO

from jwtleak.alerts.record import Record
from jwtleak.errors import UsageError
from jwtleak.runtime.scan import Tally

if TYPE_CHECKING:
    from jwtleak.cli.table import Table


class Bar(Protocol):
    """A progress bar."""

    def start(self, total: int | None) -> None: ...
    def advance(self, count: int) -> None: ...
    def stop(self) -> None: ...


class Output:
    """Shows alerts. `close` ends it and gives the summary."""

    def __init__(
        self, sink: Lines | Table, bar: Bar | None, tally: Tally, own: IO[bytes] | TextIO | None = None
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

    def alert(self, alert: Record) -> None:
        """One alert."""
        self._sink.alert(alert)

    def close(self, seconds: float) -> None:
        """All is shown."""
        if self._bar is not None:
            self._bar.stop()
        self._sink.close(self._tally, seconds)
        if self._own is not None:
            self._own.close()


class Lines:
    """JSON Lines. Lines to a pipe leave at once; to a file they are gathered by its buffer."""

    def __init__(self, file: IO[bytes], *, flush: bool) -> None:
        self._write = file.write
        self._flush: Callable[[], None] | None = file.flush if flush else None
        self._file = file

    def alert(self, alert: Record) -> None:
        """One line."""
        self._write(alert.json() + b"\n")
        if self._flush is not None:
            self._flush()

    def close(self, tally: Tally, seconds: float) -> None:
        """Everything is on its way."""
        self._file.flush()


def open_output(path: str | None, form: str | None, tally: Tally, *, progress: bool) -> Output:
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
        return Output(Lines(sys.stdout.buffer, flush=True), bar, tally)
    file = open_private(path)
    return Output(Lines(file, flush=False), bar, tally, file)


def open_private(path: str) -> IO[bytes]:
    """FILE of `--output`, mode 0600: alerts are redacted, but they are a map of what leaked where. Raises UsageError."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {(error.strerror or 'error').lower()}") from None


def _text(path: str | None) -> TextIO:
    if path is None:
        return sys.stdout
    open_private(path).close()
    return open(path, "w", encoding="utf-8")
