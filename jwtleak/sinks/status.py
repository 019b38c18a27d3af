"""What an HTTP status asks for: a pure table (RFC 9110 section 15), and the time that `Retry-After` names.

A status that speaks of the address, the credentials or the configuration keeps the alerts and waits for somebody to act;
one that speaks of the content condemns the content.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from jwtleak.sinks.interface import Problem

# 408 request timeout, 425 too early, 429 too many requests, and what a proxy says while its upstream is away.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529})
# 401 and 403 credentials; 404, 405, 410, 421, 426, 501 and 505 the address; 407 and 511 a proxy.
_BLOCKED = frozenset({401, 403, 404, 405, 407, 410, 421, 426, 451, 501, 505, 511})
# OTLP/HTTP names the statuses that may be sent again; no other may.
_OTLP_BUSY = frozenset({429, 502, 503, 504})


def problem(status: int, *, otlp: bool = False) -> Problem | None:
    """None for success. A redirect is not followed: it is an address that is wrong."""
    if 200 <= status < 300:
        return None
    if status == 413:
        return "too_large"
    if status in _BLOCKED or status < 400:
        return "blocked"
    busy = status in _OTLP_BUSY if otlp else status in _BUSY or status >= 500
    return "busy" if busy else "poison"


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait as `Retry-After` says (seconds or a date, RFC 9110 section 10.2.3); None where it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
