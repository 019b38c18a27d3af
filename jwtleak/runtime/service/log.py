"""The daemon's log: one line for each event that people should know of, as text or JSON, on stderr.

Promises: no token, no control character; a line has a bounded length; a storm of errors, from one
file or from a million, cannot fill the journal, and suppressed lines are counted; a log that cannot
be written never ends the program. May be used from any thread.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TextIO, TypeAlias

import orjson

from jwtleak.core.redaction import safe_text

Level: TypeAlias = Literal["info", "warning", "error"]
Format: TypeAlias = Literal["text", "json"]

# Seconds between two lines about the same trouble of the same file.
REPEAT_SECONDS = 60.0
# Troubles of different files, all together, in that time: a screen or two. An attacker can make
# paths.
MAX_TROUBLES = 100
# Troubles remembered, each with a path: below a megabyte. The one that was not seen for longest is
# forgotten.
_REMEMBERED = 2048
_MAX_TEXT = 1000
_MAX_PATH = 512


class _Seen(NamedTuple):
    """When a trouble was written, and how many lines about it were suppressed since."""

    at: float
    held: int


class Log:
    """Writes the log. `clock` returns Unix seconds for the lines; `steady` returns seconds that
    only grow, for the limits.

    `suppressed` counts suppressed lines; `failed` counts lines that could not be written.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        steady: Callable[[], float],
        form: Format = "text",
        stream: TextIO | None = None,
    ) -> None:
        self._clock, self._steady = clock, steady
        self._write = {"text": _as_text, "json": _as_json}[form]
        self._stream = stream
        self._lock = threading.Lock()  # sinks run in threads of their own
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._window, self._troubles = steady(), 0
        self.suppressed = 0
        self.failed = 0

    def say(self, kind: str, text: str, level: Level = "info", path: str | None = None) -> None:
        """A rare event: ready, reloaded, stopping. Always written."""
        self._put(level, kind, text, path, 0)

    def warning(self, kind: str, text: str, path: str | None = None) -> None:
        """A trouble that does not stop the work. Limited by kind and path, and all together."""
        self._limited("warning", kind, text, path)

    def error(self, kind: str, text: str, path: str | None = None) -> None:
        """A failure. Limited like a warning."""
        self._limited("error", kind, text, path)

    def _limited(self, level: Level, kind: str, text: str, path: str | None) -> None:
        # Only the bookkeeping is locked: a write may block, and must not stop the other threads.
        with self._lock:
            held = self._admit(kind, (path or "")[-_MAX_PATH:])
        if held is None:
            self.suppressed += 1
        else:
            self._put(level, kind, text, path, held)

    def _admit(self, kind: str, path: str) -> int | None:
        """How many lines about this were suppressed before; None to suppress this one too."""
        now, key = self._steady(), (kind, path)
        # Removed and inserted again: the order of the dictionary is that of the last sight.
        seen = self._seen.pop(key, None)
        if seen is not None and now - seen.at < REPEAT_SECONDS:
            self._seen[key] = _Seen(seen.at, seen.held + 1)
            return None
        if not self._room(now):
            return None
        self._seen[key] = _Seen(now, 0)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return 0 if seen is None else seen.held

    def _room(self, now: float) -> bool:
        """Whether one more trouble may be written in this period; the first that may not is
        announced.
        """
        if now - self._window >= REPEAT_SECONDS:
            self._window, self._troubles = now, 0
        self._troubles += 1
        if self._troubles == MAX_TROUBLES + 1:
            self._put(
                "warning",
                "log",
                f"more than {MAX_TROUBLES} troubles in a minute: the rest is only counted",
                None,
                0,
            )
        return self._troubles <= MAX_TROUBLES

    def _put(self, level: Level, kind: str, text: str, path: str | None, held: int) -> None:
        line = self._write(
            _Line(
                self._clock(),
                level,
                kind,
                fit(text, _MAX_TEXT),
                path and fit(path, _MAX_PATH),
                held,
            )
        )
        stream = self._stream or sys.stderr
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.failed += 1


class _Line(NamedTuple):
    at: float
    level: Level
    kind: str
    text: str
    path: str | None
    held: int


def fit(text: str, limit: int) -> str:
    """`text` without tokens and control characters, cut to `limit` characters."""
    # Cut before the search as well: searching a path of a megabyte is an attack on time.
    return safe_text(text[: 4 * limit], limit)


def _as_text(line: _Line) -> str:
    """`jwtleak: warning: PATH: text`, the program's voice."""
    sort = "" if line.level == "info" else f"{line.level}: "
    where = f"{line.path}: " if line.path else ""
    again = f" ({line.held} times more since it was last said)" if line.held else ""
    return f"jwtleak: {sort}{where}{line.text}{again}"


def _as_json(line: _Line) -> str:
    """One object a line."""
    when = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds")
    fields: dict[str, str | int] = {
        "time": when.replace("+00:00", "Z"),
        "level": line.level,
        "kind": line.kind,
        "message": line.text,
    }
    if line.path:
        fields["path"] = line.path
    if line.held:
        fields["held_back"] = line.held
    return orjson.dumps(fields).decode("utf-8")
