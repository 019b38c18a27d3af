"""The options of a scan, and the short way to them: most calls give a few, and loading click takes a fifth of the start.

Promises: what is understood here means to click the same, whose declarations stand in `scan`. Anything else, and whatever
could be an error, is left to click, which has the words for it. A test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from jwtleak.alerts.formats import interface as formats
from jwtleak.core.lifetime import DEFAULT_LEEWAY
from jwtleak.sources.interface import Limits
from jwtleak.types import CONFIDENCES, MAX_TOKEN, SEVERITIES

MAX_JOBS = 256
FORMATS = ("table", *formats.NAMES)
FAIL_ON = (*SEVERITIES, "never")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one call, as given."""

    paths: tuple[str, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    jobs: int = os.cpu_count() or 1
    every: bool = False
    status: tuple[str, ...] = ()
    only_live: bool = False
    config: str | None = None
    baseline: str | None = None
    write_baseline: str | None = None
    show_suppressed: bool = False
    jwks: tuple[str, ...] = ()
    weak_keys: str | None = None
    weak_keys_time: float = 1.0
    min_severity: Any = "info"
    min_confidence: Any = "medium"
    fail_on: str = "info"
    now: float | None = None
    leeway: int = DEFAULT_LEEWAY
    output: str | None = None
    format: str | None = None
    timestamp: Any = "detected"
    progress: bool = True
    patterns: tuple[str, ...] = ()
    max_token: int = MAX_TOKEN
    max_archive_bytes: int = Limits().max_archive_bytes
    max_ratio: int = Limits().max_ratio
    max_depth: int = Limits().max_depth
    state: str | None = None
    resume: bool = False
    sink: tuple[str, ...] = ()
    sink_config: str | None = None
    sink_deadline: float = 60.0


def _jobs(text: str) -> int | None:
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return count if 1 <= count <= MAX_JOBS else None


def _file(text: str) -> str | None:
    """A file that can be written, or is not there yet, as far as click would look."""
    fine = not os.path.lexists(text) or (os.path.isfile(text) and os.access(text, os.R_OK)) or text == os.devnull
    return text if fine else None


def _one_of(choices: Iterable[str]) -> Callable[[str], str | None]:
    return {one: one for one in choices}.get


_FLAGS = {"--every": ("every", True), "--only-live": ("only_live", True), "--no-progress": ("progress", False)}
_VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--jobs": ("jobs", _jobs),
    "-j": ("jobs", _jobs),
    "--output": ("output", _file),
    "-o": ("output", _file),
    "--format": ("format", _one_of(FORMATS)),
    "-f": ("format", _one_of(FORMATS)),
    "--min-severity": ("min_severity", _one_of(SEVERITIES)),
    "--min-confidence": ("min_confidence", _one_of(CONFIDENCES)),
    "--fail-on": ("fail_on", _one_of(FAIL_ON)),
}


def understood(args: list[str]) -> Options | None:
    """The options that `args` give; None where click must look at them."""
    paths: list[str] = []
    given: dict[str, Any] = {}
    rest = iter(args)
    for one in rest:
        if not one.startswith("-"):
            paths.append(one)
        elif one in _FLAGS:
            field, value = _FLAGS[one]
            given[field] = value
        else:
            name, equals, text = one.partition("=")
            text = text if equals else next(rest, "-")
            if name not in _VALUES or text.startswith("-") or (equals and not name.startswith("--")):
                return None
            field, read = _VALUES[name]
            given[field] = read(text)
            if given[field] is None:
                return None
    return Options(paths=tuple(paths), **given) if paths else None
