"""Strings of an attacker as an alert may hold them: cleaned, cut, without a token of their own.

Promises: pure; what repeats from token to token is remembered, in bounded memory; `sub` becomes an
HMAC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import stringzilla
from msgspec import UNSET, UnsetType

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.redaction import redact_text
from jwtleak.core.sanitize import clean

_EPOCH = datetime(1970, 1, 1)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last that RFC 3339 can write

# Formatting a number takes longer than the rest of a time: most claims and logs give whole seconds.
_SECONDS = tuple(f":{second:02}" for second in range(60))
_WHOLE = tuple(f"{second}.000Z" for second in _SECONDS)

# More audiences or scopes than this say nothing more; an attacker could fill an alert with them.
_MAX_LIST = 16

# Values remembered: those of one busy host. A value longer than a field can show is not worth
# remembering.
_REMEMBER = 4096
_SHORT = 256
# Of a longer value no more than this is looked at: a field shows 256 characters of it.
_LONGEST = 4096

# `//user:password@` ends at the first of `/?#` (RFC 3986 section 3.2); browsers end it at a
# backslash too.
_USERINFO = lazy(r"\A([a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/?#\\]*@")

Shown: TypeAlias = str | UnsetType
_hmac_sha256 = stringzilla.hmac_sha256


def rfc3339(milliseconds: int) -> str:
    """`2026-01-15T12:02:31.123Z` for Unix milliseconds."""
    if not 0 <= milliseconds <= _LAST_MS:
        milliseconds = min(max(milliseconds, 0), _LAST_MS)
    minutes, rest = divmod(milliseconds, 60_000)
    second, fraction = divmod(rest, 1000)
    return _minute(minutes) + (f"{_SECONDS[second]}.{fraction:03}Z" if fraction else _WHOLE[second])


@lru_cache(maxsize=_REMEMBER)
def _minute(minutes: int) -> str:
    """`2026-01-15T12:02` for minutes since 1970: times in a log share most of their text."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes")


def _shown(value: str) -> str:
    """A claim, header parameter or name as it may be shown: cleaned, cut, and without a token of
    its own.
    """
    return clean(redact_text(value[:_LONGEST]))


_remembered = lru_cache(maxsize=_REMEMBER)(_shown)


def text(value: object) -> Shown:
    if not isinstance(value, str):
        return UNSET
    return _remembered(value) if len(value) <= _SHORT else _shown(value)


def texts(value: object, *, split: bool = False) -> tuple[str, ...] | UnsetType:
    """A string or a list of strings, as RFC 7519 section 4.1.3 allows for `aud`; scopes are split
    at spaces (RFC 8693).
    """
    if value is None:
        return UNSET
    if isinstance(value, str):
        return _texts(value, split) if len(value) <= _SHORT else _shown_all(_listed(value, split))
    return _shown_all(value) if isinstance(value, list) else UNSET


@lru_cache(maxsize=_REMEMBER)
def _texts(value: str, split: bool) -> tuple[str, ...] | UnsetType:
    return _shown_all(_listed(value, split))


def _listed(value: str, split: bool) -> list[str]:
    return value.split(None, _MAX_LIST) if split else [value]


def _shown_all(values: list[Any]) -> tuple[str, ...] | UnsetType:
    return (
        tuple([_remembered(one[:_LONGEST]) for one in values[:_MAX_LIST] if isinstance(one, str)])
        or UNSET
    )


def issuer(value: object) -> Shown:
    """`iss` without the user and password that a URL may carry."""
    if not isinstance(value, str):
        return UNSET
    return _issuer(value[:_LONGEST])


@lru_cache(maxsize=_REMEMBER)
def _issuer(value: str) -> str:
    return _shown(_USERINFO.sub(lambda found: (found[1] or "") + "//", value))


def subject_hash(subject: object, key: bytes) -> Shown:
    """HMAC-SHA-256 of a subject: equal subjects stay equal, but cannot be guessed without the key."""
    if not isinstance(subject, str):
        return UNSET
    digest: bytes = _hmac_sha256(key, subject.encode("utf-8", "surrogatepass"))
    return digest.hex()
