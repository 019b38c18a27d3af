"""Claims, names and paths as an alert may hold them: cleaned, cut, without a token inside.

Promises: pure. An attacker may have written every value. `sub` becomes an HMAC. Values that repeat
from token to token come from caches of bounded size.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import stringzilla
from msgspec import UNSET, UnsetType

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.redaction import safe_text

_EPOCH = datetime(1970, 1, 1)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last that RFC 3339 can write

# Formatting a number takes longer than the rest of a time; most claims have whole seconds.
_SECONDS = tuple(f":{second:02}" for second in range(60))
_WHOLE = tuple(f"{second}.000Z" for second in _SECONDS)

# More audiences or scopes than this say nothing more; an attacker could fill an alert with them.
_MAX_LIST = 16

# Values in each cache: those of one busy host. Values longer than a field shows are not cached: an
# attacker could fill the memory with 4,096 of them.
_REMEMBER = 4096
_SHORT = 256
# Longer values are cut before the work: a field shows 256 characters.
_LONGEST = 4096

# `//user:password@` ends at the first of `/?#` (RFC 3986 section 3.2); browsers end it at a
# backslash too.
_USERINFO = lazy(r"\A([a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/?#\\]*@")

Shown: TypeAlias = str | UnsetType
_hmac_sha256 = stringzilla.hmac_sha256


def rfc3339(milliseconds: int) -> str:
    """`2026-01-15T12:02:31.123Z` for Unix milliseconds."""
    # A claim may hold any number: the nearest time that can be written is better than none.
    if not 0 <= milliseconds <= _LAST_MS:
        milliseconds = min(max(milliseconds, 0), _LAST_MS)
    # A third of the time of `datetime.isoformat`, for up to five times an alert.
    minutes, rest = divmod(milliseconds, 60_000)
    second, fraction = divmod(rest, 1000)
    return _minute(minutes) + (f"{_SECONDS[second]}.{fraction:03}Z" if fraction else _WHOLE[second])


@lru_cache(maxsize=_REMEMBER)
def _minute(minutes: int) -> str:
    """`2026-01-15T12:02` for minutes since 1970: times in a log share most of their text."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes")


def _shown(value: str) -> str:
    """A value as it may be shown: cleaned, cut, and without a token inside."""
    # Redaction first: cleaning cuts at 256 characters, and half a token is no longer recognised.
    return safe_text(value[:_LONGEST])


_remembered = lru_cache(maxsize=_REMEMBER)(_shown)


def text(value: object) -> Shown:
    """A string as it may be shown; UNSET for any other type."""
    if not isinstance(value, str):
        return UNSET
    return _remembered(value) if len(value) <= _SHORT else _shown(value)


def texts(value: object, *, split: bool = False) -> tuple[str, ...] | UnsetType:
    """A string or a list of strings, as RFC 7519 section 4.1.3 allows for `aud`; scopes are split
    at spaces (RFC 8693).
    """
    if value is None:
        return UNSET
    # Lists have no cache: they cannot be a key, and most `aud` are one string.
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
        tuple(
            [
                _remembered(member[:_LONGEST])
                for member in values[:_MAX_LIST]
                if isinstance(member, str)
            ]
        )
        or UNSET
    )


def issuer(value: object) -> Shown:
    """`iss` without the user and password that a URL may carry."""
    if not isinstance(value, str):
        return UNSET
    # Userinfo before redaction: `_shown` cuts, and could cut between the password and the `@`.
    return _issuer(value[:_LONGEST])


@lru_cache(maxsize=_REMEMBER)
def _issuer(value: str) -> str:
    return _shown(_USERINFO.sub(lambda found: (found[1] or "") + "//", value))


def subject_hash(subject: object, key: bytes) -> Shown:
    """HMAC-SHA-256 of a subject: equal subjects stay equal, and a guess needs the key."""
    if not isinstance(subject, str):
        return UNSET
    # JSON may hold lone surrogates, which UTF-8 cannot encode.
    digest: bytes = _hmac_sha256(key, subject.encode("utf-8", "surrogatepass"))
    return digest.hex()
