"""Reads timestamps as log lines write them into Unix milliseconds.

Promises: pure functions of bytes. None for everything that is no date of the years 1990 to 2099.
Never an exception. Time linear in the bytes. A stamp without a zone is UTC.
Refuses dates whose order of day and month is a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from typing import Final

from jwtleak.core.lazy_regex import lazy

# There are no logs older than 1990 or newer than 2099: such a number is a counter, an identifier or
# a mistake.
_FIRST_YEAR: Final = 1990
_LAST_YEAR: Final = 2099
_EPOCH: Final = date(1970, 1, 1).toordinal()
_FIRST: Final = (date(_FIRST_YEAR, 1, 1).toordinal() - _EPOCH) * 86400
_LAST: Final = (date(_LAST_YEAR + 1, 1, 1).toordinal() - _EPOCH) * 86400

# Distinct minutes (or zones) cached. A log moves minute by minute; 512 cover eight hours of merged
# logs.
_MEMO: Final = 512

# A syslog stamp has no year. 29 February returns after at most 8 years (1896-1904, 2096-2104).
_LEAP_GAP: Final = 8
_DAY_MS: Final = 86_400_000

_MONTHS: Final = {
    name: n for n, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_MONTH: Final = rb"(?:" + rb"|".join(_MONTHS) + rb")"

# RFC 822 section 5.1 names these zones; CET and CEST are what servers in Europe print. Hours east
# of UTC.
_ZONES: Final = {
    b"Z": 0, b"z": 0, b"UTC": 0, b"GMT": 0, b"CET": 1, b"CEST": 2,
    b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7,
}  # fmt: skip

_REST: Final = lazy(
    rb"(:\d\d)(?:[.,](\d+))?"
    rb"( ?(?:[Zz]|UTC|GMT|CES?T|[ECMP][SD]T)(?![A-Za-z0-9])"
    rb"|[+-]\d\d(?::?\d\d)?(?!\d)| [+-]\d\d:?\d\d(?!\d))?"
)
_CLF_ZONE: Final = lazy(rb" [+-]\d{4}\]")
_ISO: Final = lazy(rb"(\d{4})([-/])(\d\d)\2(\d\d)[Tt ](\d\d):(\d\d)")
_YEAR_ENDS: Final = (b"-", b"/")
_DAY: Final = lazy(rb"(\d{1,2})([-/ ])(" + _MONTH + rb")\2(\d{4})[: ](\d\d):(\d\d)")
_BASIC: Final = lazy(rb"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:[.,](\d+))?(Z|[+-]\d{4})?(?!\d)")
_BSD: Final = lazy(
    rb"("
    + _MONTH
    + rb") {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?: (\d{4})(?![\d:]))?"
)
_KLOG: Final = lazy(rb"[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3,9})")
_NUMBER: Final = lazy(rb"(\d{9,19})(?:\.(\d{1,9}))?(?![\w.])")

# Every form but the basic one has minutes and seconds between colons. A search for that costs a
# tenth of a search for a date. The date begins at most 16 bytes before it (`Jan 15 2026 12`,
# `15/Jan/2026:12`, `2026-01-15T12`).
_CLOCK: Final = lazy(rb":\d\d:\d\d|T\d{6}")
_BEFORE: Final = 16
_DATE: Final = lazy(
    rb"(?<![0-9A-Za-z/])(?:(?P<iso>\d{4}[-/]\d\d[-/]\d\d[Tt ]\d\d)"
    rb"|(?P<day>\d{1,2}[-/ ]" + _MONTH + rb"[-/ ]\d{4}[: ])"
    rb"|(?P<bsd>" + _MONTH + rb" {1,2}\d{1,2} )|(?P<basic>\d{8})|(?P<klog>[IWEF]\d{4} \d\d))"
)
# A leap second is written 60.
_SECONDS: Final = {b":%02d" % second: second * 1000 for second in range(61)}


def iso(line: bytes, at: int = 0) -> int | None:
    """RFC 3339 or ISO 8601 extended at `at`, also with slashes (nginx error log, Go):
    `2026-01-15T12:02:31,5+01:00`.
    """
    # Most lines begin otherwise. Without this they would push real minutes out of the cache.
    if line[at + 4 : at + 5] not in _YEAR_ENDS:
        return None
    minute = _iso_minute(line[at : at + 16])
    return None if minute is None else _with_rest(line, at + 16, minute)


def day(line: bytes, at: int = 0) -> int | None:
    """Common log format and its kin at `at`.

    `15/Jan/2026:12:02:31 +0000`, `15-Jan-2026 12:02:31.123`, RFC 1123.
    """
    # Web servers write this form for every line: its seconds and zone come from tables.
    minute = _day_minute(line[at : at + 17])
    if minute is not None:
        second, offset = _SECONDS.get(line[at + 17 : at + 20]), _clf_offset(line[at + 20 : at + 27])
        if second is not None and offset is not None:
            return minute + second - offset
        return _with_rest(line, at + 17, minute)
    # A day below 10 may have one digit (RFC 5322 section 3.3): the text is then a byte shorter.
    minute = _day_minute(line[at : at + 16])
    return None if minute is None else _with_rest(line, at + 16, minute)


def bsd(line: bytes, at: int = 0, mtime_ms: int | None = None) -> int | None:
    """RFC 3164 (`Jan  5 12:02:31`) or asctime (with a year) at `at`.

    Without a year, the latest year counts that puts the time no more than a day after `mtime_ms`,
    the file's last modification. Without `mtime_ms` the result is None.
    """
    match = _BSD.match(line, at)
    if match is None:
        return None
    month, dom, before, hour, minute, second, fraction, after = match.groups()
    number = _MONTHS[month]
    clock = ((int(hour) * 60 + int(minute)) * 60 + int(second)) * 1000 + _fraction(fraction)
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        return None
    # Cisco writes the year before the clock, asctime behind it.
    if year := before or after:
        return _at_midnight(int(year), number, int(dom), clock)
    return None if mtime_ms is None else _latest(number, int(dom), clock, mtime_ms)


def klog(line: bytes, at: int = 0, mtime_ms: int | None = None) -> int | None:
    """Kubernetes' klog header at `at` (`I0115 12:02:31.123456`); the year as in `bsd`."""
    match = _KLOG.match(line, at)
    # The header never has a year: without the file's time there is nothing to choose it by.
    if match is None or mtime_ms is None:
        return None
    month, dom, hour, minute, second = map(int, match.groups()[:5])
    if hour > 23 or minute > 59 or second > 60:
        return None
    return _latest(
        month, dom, ((hour * 60 + minute) * 60 + second) * 1000 + _fraction(match[6]), mtime_ms
    )


def basic(line: bytes, at: int = 0) -> int | None:
    """ISO 8601 basic format at `at`: `20260115T120231Z`."""
    match = _BASIC.match(line, at)
    if match is None:
        return None
    year, month, dom, hour, minute, second = map(int, match.groups()[:6])
    midnight = _at_midnight(year, month, dom, _fraction(match[7]))
    if midnight is None or hour > 23 or minute > 59 or second > 60:
        return None
    return midnight + ((hour * 60 + minute) * 60 + second) * 1000 - _offset(match[8] or b"Z")


def number(line: bytes, at: int = 0) -> int | None:
    """A Unix time at `at` in digits: seconds (with or without fraction), milli-, micro- or
    nanoseconds, by magnitude.
    """
    match = _NUMBER.match(line, at)
    if match is None:
        return None
    found = epoch(int(match[1]))
    # Up to ten digits are seconds. Longer numbers have their milliseconds in the integer part.
    return found + _fraction(match[2]) if found is not None and len(match[1]) < 11 else found


def epoch(value: float) -> int | None:
    """A Unix time in seconds, milli-, micro- or nanoseconds: the unit with a plausible year."""
    # The ranges of the units do not overlap: 1990 in milliseconds is far beyond 2099 in seconds.
    for unit in (1, 1_000, 1_000_000, 1_000_000_000):
        if _FIRST * unit <= value < _LAST * unit:
            # Integers stay exact: nanoseconds do not fit a double.
            return value * 1000 // unit if isinstance(value, int) else round(value * 1000 / unit)
    return None


def stamps(text: bytes, mtime_ms: int | None = None) -> Iterator[tuple[int, int]]:
    """Every date with a time in `text`, from the left: (index of its first byte, milliseconds)."""
    floor = 0  # no date begins inside the one before it
    for clock in _CLOCK.finditer(text):
        # The clock (`:02:31`) is cheap to find; the date before it is matched only there.
        match = _DATE.search(text, max(floor, clock.start() - _BEFORE), clock.start() + 1)
        if match is None:
            continue
        found = _READ[match.lastgroup or "iso"](text, match.start(), mtime_ms)
        # An impossible date moves no floor: it hides no other.
        if found is not None:
            floor = clock.end()
            yield match.start(), found


_READ: Final[dict[str, Callable[[bytes, int, int | None], int | None]]] = {
    "iso": lambda text, at, _: iso(text, at),
    "day": lambda text, at, _: day(text, at),
    "bsd": bsd,
    "basic": lambda text, at, _: basic(text, at),
    "klog": klog,
}


@lru_cache(_MEMO)
def _iso_minute(text: bytes) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    return _minute(int(match[1]), int(match[3]), int(match[4]), int(match[5]), int(match[6]))


@lru_cache(_MEMO)
def _day_minute(text: bytes) -> int | None:
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    return _minute(int(match[4]), _MONTHS[match[3]], int(match[1]), int(match[5]), int(match[6]))


def _minute(year: int, month: int, dom: int, hour: int, minute: int) -> int | None:
    if hour > 23 or minute > 59:
        return None
    return _at_midnight(year, month, dom, (hour * 60 + minute) * 60_000)


def _at_midnight(year: int, month: int, dom: int, milliseconds: int) -> int | None:
    # Before the call of `date`, which would accept the years of counters and identifiers.
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        return (date(year, month, dom).toordinal() - _EPOCH) * _DAY_MS + milliseconds
    except ValueError:
        return None


def _latest(month: int, dom: int, clock: int, mtime_ms: int) -> int | None:
    """This date in the latest year in which it is at most a day after `mtime_ms`."""
    limit = mtime_ms + _DAY_MS
    newest = min(_LAST_YEAR, 1970 + max(0, limit) // (365 * _DAY_MS))
    # Counting years of 365 days runs ahead of the calendar, by less than a year until 2099: the
    # loop steps over one candidate more than the leap gap.
    for year in range(newest, newest - _LEAP_GAP - 2, -1):
        found = _at_midnight(year, month, dom, clock)
        if found is not None and found <= limit:
            return found
    return None


def _with_rest(line: bytes, at: int, minute: int) -> int | None:
    """`minute` plus the seconds, fraction and zone at `at` (`:31.123+01:00`)."""
    match = _REST.match(line, at)
    if match is None:
        return None
    second, fraction, zone = match.groups()
    # The expression accepts any two digits, and the table 00 to 60.
    if second not in _SECONDS:
        return None
    found = minute + _SECONDS[second]
    if fraction:
        found += _fraction(fraction)
    return found - _offset(zone) if zone else found


def _fraction(digits: bytes | None) -> int:
    """Milliseconds in a decimal fraction of a second, truncated."""
    return int(digits[:3].ljust(3, b"0")) if digits else 0


@lru_cache(_MEMO)
def _clf_offset(text: bytes) -> int | None:
    """The offset in ` +0100]`, as web servers close their stamp; None for anything else."""
    return _offset(text[:6]) if _CLF_ZONE.fullmatch(text) else None


@lru_cache(_MEMO)
def _offset(zone: bytes) -> int:
    """Milliseconds that `zone` is ahead of UTC; 0 for an impossible offset."""
    text = zone.strip()
    if text in _ZONES:
        return _ZONES[text] * 3_600_000
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0
    if hours > 14 or minutes > 59:  # no place on Earth is further ahead than Kiribati
        return 0
    return (-1 if text[:1] == b"-" else 1) * (hours * 60 + minutes) * 60_000
