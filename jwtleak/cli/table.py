"""The table: one row per token, for a person at a terminal.

Promises: grouped over all files, the worst first; bounded; every cell is plain text, so nothing
that was read can style it.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Literal, TextIO

from msgspec import UNSET, UnsetType
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.wire import WireAlert
from jwtleak.core.sanitize import clean
from jwtleak.runtime.scan.scan import Tally
from jwtleak.types import SEVERITIES

# More rows than anyone reads; the rest is counted in the last line.
_MAX_ROWS = 500

_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
# Each column with the width that it needs at the least.
_COLUMNS = {
    "severity": 8,
    "status": 9,
    "expires in": 10,
    "token": 10,
    "why": 10,
    "issuer": 12,
    "alg": 5,
    "channel": 12,
    "where": 14,
    "seen": 4,
}
_SHORT = ("severity", "expires in", "alg", "seen")
# Columns that are left out on a terminal narrower than this: paths would wrap after a few letters.
_NEEDS = {"issuer": 120, "alg": 120, "expires in": 90}
_NO_TERMINAL = 160
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def duration(seconds: int) -> str:
    """`2h 5m`, `-3d 4h`: the two largest units."""
    sign, rest, parts = "-" if seconds < 0 else "", abs(seconds), []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + " ".join(parts[:2]) if parts else "0s"


def size(count: float) -> str:
    """`1.5 GB`, in powers of 1000 as rates are."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


class _Row:
    """One token: its worst alert, and where it was seen."""

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self.count = 0
        self.places: Counter[str] = Counter()
        self.more = False
        self.add(alert)

    def add(self, alert: Alert) -> None:
        # A roll-up says again what its first sight said.
        self.count += alert.sightings.count - (alert.event == "repeat")
        place = place_of(alert)
        if len(self.places) < 8 or place in self.places:
            self.places[place] += 1
        else:
            self.more = True
        if SEVERITIES.index(alert.severity) < SEVERITIES.index(self.alert.severity):
            self.alert = alert

    def where(self) -> str:
        first = place_of(self.alert) + f":{self.alert.location.line}"
        others = len(self.places) - 1
        return first if others <= 0 else f"{first} and {others}{'+' if self.more else ''} more"


def place_of(alert: Alert) -> str:
    """The path, with the path inside an archive behind an exclamation mark."""
    where = alert.location
    path = "stdin" if isinstance(where.path, UnsetType) else where.path
    return path if isinstance(where.member, UnsetType) else f"{path}!{where.member}"


class Table:
    """Collects alerts, shows them at the end."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._rows: dict[str, _Row] = {}
        self._hidden = 0

    def alert(self, record: WireAlert) -> None:
        """One more."""
        alert = record.alert()
        row = self._rows.get(alert.token.sha256)
        if row is not None:
            row.add(alert)
        elif len(self._rows) < _MAX_ROWS:
            self._rows[alert.token.sha256] = _Row(alert)
        else:
            self._hidden += 1

    def close(self, tally: Tally, seconds: float, *, complete: bool = True) -> None:
        """Show everything."""
        console = Console(
            file=self._file, highlight=False, markup=False, emoji=False, width=_width(self._file)
        )
        plain = not (self._file.encoding or "").lower().startswith("utf")
        if self._rows:
            console.print(self._table(plain, console.width))
        if self._hidden:
            console.print(f"and {self._hidden} more tokens: use --format json to see all")
        console.print(summary(tally, seconds))

    def _table(self, plain: bool, width: int) -> RichTable:
        table = RichTable(box=box.ASCII if plain else box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        columns = [name for name in _COLUMNS if width >= _NEEDS.get(name, 0)]
        for name in columns:
            justify: Literal["left", "right"] = "right" if name == "seen" else "left"
            table.add_column(
                name,
                justify=justify,
                overflow="fold",
                min_width=_COLUMNS[name],
                no_wrap=name in _SHORT,
            )
        for row in sorted(
            self._rows.values(), key=lambda row: SEVERITIES.index(row.alert.severity)
        ):
            cells = _cells(row)
            table.add_row(*(Text(*cells[name]) for name in columns))
        return table


def _width(file: TextIO) -> int | None:
    """A terminal and COLUMNS say how wide they are; a pipe or a file does not."""
    return None if file.isatty() or os.environ.get("COLUMNS") else _NO_TERMINAL


def _cells(row: _Row) -> dict[str, tuple[str, str]]:
    """(Text, style) for each column."""
    alert = row.alert
    token = alert.token
    colour = _COLOURS[alert.severity]
    cells = {
        "severity": alert.severity,
        "status": alert.title if alert.pattern is not UNSET else _or_dash(token.status),
        "expires in": "-"
        if isinstance(token.expires_in, UnsetType)
        else duration(token.expires_in),
        "token": " ".join(
            part for part in (token.provider, token.use) if isinstance(part, str)
        ).replace("_", " ")
        or "-",
        "why": _why(alert),
        "issuer": _or_dash(token.issuer).removeprefix("https://").removesuffix("/"),
        "alg": _or_dash(token.alg),
        "channel": _channel(alert),
        "where": row.where(),
        "seen": str(row.count),
    }
    return {
        name: (clean(cell), colour if name in ("severity", "status") else "")
        for name, cell in cells.items()
    }


def _why(alert: Alert) -> str:
    """The reasons behind the status, which has a column of its own."""
    reasons = [reason.replace("_", " ") for reason in alert.reasons if reason != alert.token.status]
    return (
        ", ".join([*reasons, *(["suppressed"] if isinstance(alert.suppressed, str) else [])]) or "-"
    )


def _channel(alert: Alert) -> str:
    """The type and the name, where the name says more than the type."""
    channel = alert.channel
    if isinstance(channel.name, UnsetType) or channel.type.startswith(channel.name.lower()):
        return channel.type
    return f"{channel.type} {channel.name}"


def _or_dash(value: object) -> str:
    return value if isinstance(value, str) else "-"


def summary(tally: Tally, seconds: float) -> str:
    """One line: what was read, how fast, and what was found."""
    found = (
        ", ".join(f"{count} {status}" for status, count in tally.statuses.most_common())
        or "no leaks"
    )
    files = f"{tally.files} file{'' if tally.files == 1 else 's'}"
    rate = size(tally.bytes_read / seconds) + "/s" if seconds > 0 else ""
    unread = f"; {tally.unread} could not be read whole" if tally.unread else ""
    return f"{files}, {size(tally.bytes_read)} in {seconds:.1f} s ({rate}): {found}{unread}"
