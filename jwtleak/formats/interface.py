"""The interface of a format, and the table of formats.

Promises: a format is a pure function of the alert and of its options. It sees only the alert, which
holds no token. Its output is complete: an alert over `max_bytes` loses optional fields in a fixed
order (`facts.DROP`), never its end. The smallest form can still be too large: the caller compares
lengths.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError

Name: TypeAlias = Literal["json", "ecs", "ocsf", "cef", "leef", "gelf", "sarif", "gitlab", "csv"]

# Name to module. `by_name` imports a module: a scan into plain JSON Lines needs none of them.
_MODULES: dict[str, str] = {
    "json": "native",
    "ecs": "ecs",
    "ocsf": "ocsf",
    "cef": "cef",
    "leef": "leef",
    "gelf": "gelf",
    "sarif": "sarif",
    "gitlab": "gitlab",
    "csv": "csv_",
}
NAMES = tuple(_MODULES)
# These write one document of all alerts; the others write one event for each.
DOCUMENTS = ("sarif", "gitlab", "csv")
EVENT_FORMATS = tuple(name for name in NAMES if name not in DOCUMENTS)


class FormatOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How events are written. `timestamp`: which of the two times dates the event; the other one is
    always in it too.

    `host`: of the machine, for alerts without one. `ascii`: JSON in ASCII alone, for syslog.
    """

    timestamp: Literal["event", "detected"] = "detected"
    max_bytes: int | None = None
    host: str | None = None
    ascii: bool = False
    namespace: str = "default"  # ECS: data_stream.namespace
    category: Literal["vulnerability", "intrusion_detection"] = (
        "vulnerability"  # ECS: event.category
    )
    root: str | None = None  # SARIF: the directory that relative paths are in
    ocsf_version: Literal["1.8.0", "1.7.0"] = "1.8.0"
    ocsf_class: Literal[2004, 2006] = 2004


DEFAULT = FormatOptions()


@runtime_checkable
class Format(Protocol):
    """Alerts to events, each without a newline of its own."""

    name: str
    media_type: str

    def encode(self, alert: Alert) -> bytes: ...


class Ending(msgspec.Struct, frozen=True):
    """The scan, for a document. Times in RFC 3339. `complete`: False where it was interrupted.
    `unread`: the number of inputs that could not be read.
    """

    started_at: str
    ended_at: str
    complete: bool = True
    unread: int = 0


@runtime_checkable
class Document(Format, Protocol):
    """Alerts to one document: `begin`, then `encode` for each alert with `between` as separator,
    then `end`. An object writes one document.

    `repeats`: whether the document has a place for a repeat beside the alert that it repeats.
    """

    between: bytes
    repeats: bool

    def begin(self) -> bytes: ...
    def end(self, ending: Ending) -> bytes: ...


def by_name(name: str, options: FormatOptions = DEFAULT) -> Format:
    """The format of that name; one of DOCUMENTS is a Document. Raises UsageError for others."""
    if name not in _MODULES:
        raise UsageError(f"there is no format {name}: choose one of {', '.join(NAMES)}")
    # The module's name comes from the table, never from the caller.
    module = importlib.import_module(f"jwtleak.formats.{_MODULES[name]}")
    make: Callable[[FormatOptions], Format] = module.make
    return make(options)


def document(name: str, options: FormatOptions = DEFAULT) -> Document:
    """The document format of that name."""
    found: Any = by_name(name, options)
    # Whoever asks has chosen from DOCUMENTS: another format here is a mistake of the caller.
    assert isinstance(found, Document)
    return found
