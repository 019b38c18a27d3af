"""`csv`: one table of a scan, a row for each alert (RFC 4180).

Promises: the columns are the fields of the alert, always all of them and in this order. `; ` joins
lists. An apostrophe precedes a text that a spreadsheet would run as a formula.
"""

from __future__ import annotations

import re
from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats.facts import Facts, fitted, own
from jwtleak.formats.interface import Ending, FormatOptions

COLUMNS = (
    "id",
    "event",
    "detected_at",
    "logged_at",
    "severity",
    "confidence",
    "title",
    "reasons",
    "location.host",
    "location.source",
    "location.path",
    "location.member",
    "location.line",
    "location.column",
    "location.offset",
    "location.length",
    "channel.type",
    "channel.name",
    "channel.encodings",
    "token.sha256",
    "token.kind",
    "token.status",
    "token.alg",
    "token.enc",
    "token.kid",
    "token.typ",
    "token.issuer",
    "token.audience",
    "token.issued_at",
    "token.not_before",
    "token.expires_at",
    "token.expires_in",
    "token.lifetime",
    "live_when_logged",
    "token.subject_hash",
    "token.scopes",
    "token.provider",
    "token.use",
    "token.signature",
    "token.weaknesses",
    "token.redacted",
    "token.length",
    "sightings.count",
    "sightings.first_offset",
    "sightings.last_offset",
    "first_seen",
    "last_seen",
    "location.container.namespace",
    "location.container.pod",
    "location.container.pod_uid",
    "location.container.name",
    "location.container.id",
    "location.container.stream",
    "excerpt",
    "advice",
    "references",
    "pattern",
    "supersedes",
    "truncated",
    "suppressed",
    "schema",
)
# The first characters of a formula: OWASP's list, without the control characters, which facts do
# not contain.
_FORMULA = ("=", "+", "-", "@")
_QUOTED = re.compile(r'[",\r\n]|\A\s|\s\Z')


class Csv:
    """Alerts as rows."""

    name = "csv"
    media_type = "text/csv"
    between = b""
    repeats = True

    def __init__(self, options: FormatOptions) -> None:
        self._limit = options.max_bytes

    def begin(self) -> bytes:
        """The names of the columns."""
        return _row(COLUMNS)

    def encode(self, alert: Alert) -> bytes:
        """One row, with its line ending."""
        return fitted(own(alert), self._limit, self._write)

    def end(self, ending: Ending) -> bytes:
        """Nothing: a table has no trailer."""
        return b""

    def _write(self, found: Facts) -> bytes:
        return _row([_cell(found.get(name)) for name in COLUMNS])


def _row(cells: tuple[str, ...] | list[str]) -> bytes:
    # RFC 4180 section 2: a row ends with CRLF.
    return (",".join(cells) + "\r\n").encode("utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    # Before the test for int: a bool is an int.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    # Numbers are returned above: a negative `expires_in` is no formula.
    text = "; ".join(value) if isinstance(value, list) else value
    # Spreadsheets skip leading blanks: ` =1+1` is a formula too.
    if text.lstrip().startswith(_FORMULA):
        text = "'" + text
    # RFC 4180 section 2: a quote inside a quoted cell is doubled.
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def make(options: FormatOptions) -> Csv:
    """The format with these options."""
    return Csv(options)
