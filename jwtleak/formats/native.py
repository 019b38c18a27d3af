"""`json`: the alert itself, as `jwtleak schema` describes it.

Promises: the bytes are those of `to_json`, unless the alert needs cleaning or is too large. Both
times are always in it, so `timestamp` has no effect.
"""

from __future__ import annotations

from typing import Any

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.formats.facts import Facts, fitted, own
from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.layout import Field, Layout, encode_json, only_ascii

# Alerts are shorter unless an attacker filled their lists; a longer one is cleaned field by field.
_ORDINARY = 4096


class Native:
    """Alerts as they are."""

    name = "json"
    media_type = "application/json"

    def __init__(self, options: FormatOptions) -> None:
        self._limit = options.max_bytes
        self._most = _ORDINARY if options.max_bytes is None else min(_ORDINARY, options.max_bytes)
        self._finish = only_ascii if options.ascii else bytes

    def encode(self, alert: Alert) -> bytes:
        """The alert as one line of JSON, without the newline."""
        try:
            data = to_json(alert)
        except UnicodeEncodeError:
            # A lone surrogate. `Builder` cleans it away; an alert from a program that uses the
            # library may hold one.
            data = b""
        if data and _is_clean(data) and len(data) <= self._most:
            return data
        return fitted(own(alert), self._limit, self._write)

    def _write(self, found: Facts) -> bytes:
        tree: dict[str, Any] = Layout(Field(name, name) for name in found).fill(found)
        # The schema requires an excerpt, and `fitted` may have dropped it.
        return self._finish(encode_json({**tree, "excerpt": tree.get("excerpt", "")}))


def _is_clean(data: bytes) -> bool:
    """Whether `own` would change nothing: ASCII, no escapes but of quotes and backslashes."""
    return data.isascii() and data.count(b"\\") == data.count(b'\\"') + 2 * data.count(b"\\\\")


def make(options: FormatOptions) -> Native:
    """The format with these options."""
    return Native(options)
