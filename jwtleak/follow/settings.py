"""The section `[tail]`: what is followed, from where, and how often it is polled.

Promises: an invalid value is refused when it is read, with its key. A duration is a number of
seconds or a text such as `30s`, `5m`, `1h30m`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from jwtleak.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Nine digits of weeks exceed the age of the universe, and can be added without overflow.
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_DURATION = re.compile(rf"(?:{_NUMBER}(?:ms|[smhdw]))+|{_NUMBER}")
_PART = re.compile(rf"({_NUMBER})(ms|[smhdw]|\Z)")

Symlinks: TypeAlias = Literal["follow", "ignore"]
Origin: TypeAlias = tuple[Literal["beginning", "end", "since"], float]


def duration(text: str) -> float:
    """Return the seconds of `1h30m`, or of a number alone. Raises `ValueError`."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"not a duration such as 30s, 5m or 1h30m: {text!r}")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in _PART.findall(text))


def origin(text: str) -> Origin:
    """Parse where to begin in files that exist at the start. Raises `ValueError`.

    `beginning`, `end`, or `since:DURATION`; the number is that duration in seconds.
    """
    if text in ("beginning", "end"):
        return text, 0.0  # type: ignore[return-value]
    kind, colon, rest = text.partition(":")
    if kind == "since" and colon:
        return "since", duration(rest)
    raise ValueError(f"not one of beginning, end, since:DURATION: {text!r}")


class TailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How files are followed. All times are in seconds."""

    paths: Annotated[
        list[str], Meta(description="files, directories and globs to follow; `**` is any depth")
    ] = []
    include: Annotated[
        list[str], Meta(description="follow only files that match one of these globs")
    ] = []
    exclude: Annotated[
        list[str], Meta(description="leave out what matches; wins over `include`")
    ] = []
    from_: Annotated[
        str,
        Meta(
            description="where to begin in files that are there at the very first start: "
            "`beginning`, `end`, `since:DURATION`; later ones are read from their beginning"
        ),
    ] = msgspec.field(default="beginning", name="from")
    poll: Annotated[bool, Meta(description="never use file events")] = False
    symlinks: Annotated[
        Symlinks, Meta(description="follow what links lead to, or leave them alone")
    ] = "follow"

    # Tailers' users expect a second.
    file_interval: Annotated[
        float,
        Meta(description="a known file that changed lately is inspected this often, event or not"),
    ] = 1.0
    directory_interval: Annotated[
        float,
        Meta(
            description="a directory is listed again this often when it changed, or when no "
            "events come from it"
        ),
    ] = 5.0
    # A rotated file may still be written to: programs reopen their logs on a signal. The slowest
    # one seen (a Java service in a long collection) needed half a minute.
    rotate_quiet: Annotated[
        float, Meta(description="how long a rotated file must be quiet before it is closed")
    ] = 30.0
    settle: Annotated[
        float, Meta(description="a compressed file is read when it did not change for so long")
    ] = 2.0
    max_open: Annotated[
        int | None,
        Meta(description="files held open at once; without it, half of what the system allows"),
    ] = None

    def __post_init__(self) -> None:
        origin(self.from_)
        # A poll takes milliseconds: shorter intervals would keep a core busy. More than an hour is
        # a wrong unit.
        for name in ("file_interval", "directory_interval"):
            if not 0.01 <= getattr(self, name) <= 3600:
                raise ValueError(f"{name} must be between 0.01 and 3600 seconds")
        if self.rotate_quiet < 0 or self.settle < 0:
            raise ValueError("rotate_quiet and settle must not be negative")
        # Fewer would close a log's file again and again while its rotation is compared.
        if self.max_open is not None and self.max_open < 4:
            raise ValueError("max_open must be at least 4")

    @property
    def origin(self) -> Origin:
        """`from`, parsed."""
        return origin(self.from_)


def need_paths(settings: TailSettings) -> None:
    """Raise `UsageError` when there is nothing to follow."""
    if not settings.paths:
        raise UsageError("nothing to follow: give a file, a directory or a glob")
