"""HTTP statuses and what they ask for."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from jwtleak.sinks.http import problem_of, retry_after

BUSY = {408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529, 506, 508, 598}
BLOCKED = {
    300,
    301,
    302,
    303,
    307,
    308,
    100,
    401,
    403,
    404,
    405,
    407,
    410,
    421,
    426,
    451,
    501,
    505,
    511,
}
POISON = {400, 402, 406, 409, 411, 412, 414, 415, 416, 417, 418, 422, 424, 428, 431}


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_meaning(status: int) -> None:
    """2xx is success and nothing else is; what speaks of the address or the credentials condemns no
    alert.
    """
    found = problem_of(status)
    if status in BUSY:
        assert found == "busy"
    elif status in BLOCKED:
        assert found == "blocked"
    elif status in POISON:
        assert found == "poison"
    elif status == 413:
        assert found == "too_large"
    else:
        family = {1: "blocked", 2: None, 3: "blocked", 4: "poison", 5: "busy"}
        assert found == family[status // 100]


@pytest.mark.parametrize("status", range(400, 600))
def test_otlp_names_what_may_be_sent_again(status: int) -> None:
    """Only 429, 502, 503 and 504 (OTLP/HTTP, Failures)."""
    assert (problem_of(status, otlp=True) == "busy") == (status in (429, 502, 503, 504))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 120 ", 120.0),
        (formatdate(1_000_030, usegmt=True), 30.0),
        (formatdate(999_000, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 400, 999_999_999.0),
        ("\u0663", None),
        ("", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """Seconds or a date; anything else says nothing."""
    assert retry_after(value, 1_000_000) == seconds
