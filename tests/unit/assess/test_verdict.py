"""What an alert says by its sort: put together from facts, remembered by them."""

from __future__ import annotations

import pytest
from minting import NOW, jws
from msgspec.structs import replace

import jwtleak
from jwtleak.assess.assessor import Assessment
from jwtleak.assess.issuers import Origin
from jwtleak.assess.verdict import is_clear, verdict_of
from jwtleak.types import Finding

ORIGIN = Origin("auth0", "refresh", "user", 60, ("do this",), "https://auth0.test/revoke")
WORTH = Assessment(ORIGIN, False, "unchecked", ("no_aud",), False, False)


def test_the_parts_agree() -> None:
    """Severity, reasons, title, advice and references all speak of the same case."""
    one = verdict_of("live", None, "jws", "whole", True, "cookie", WORTH, None, False)
    assert (one.severity, one.reasons, one.confidence) == (
        "critical",
        ("live", "long_lived_use"),
        "high",
    )
    assert one.title == "Live JWT in a cookie"
    assert one.advice == ("do this", "mask Cookie and Set-Cookie in this log")
    assert {"CWE-532", "RFC 8725 section 3.9", "ATT&CK T1539", "https://auth0.test/revoke"} <= set(
        one.references
    )


@pytest.mark.parametrize(
    ("worth", "title"),
    [
        (replace(WORTH, example=True), "Example JWT in a cookie"),
        (replace(WORTH, signature="weak_key"), "Forgeable JWT in a cookie"),
        (replace(WORTH, origin=Origin(public="x")), "Public JWT in a cookie"),
    ],
)
def test_titles_follow(worth: Assessment, title: str) -> None:
    """What matters more than the status is in the title."""
    assert (
        verdict_of("live", None, "jws", "whole", True, "cookie", worth, None, False).title == title
    )


def test_one_sort_is_worked_out_once() -> None:
    """The same facts give the same object, whatever the token."""
    first = verdict_of("live", None, "jws", "whole", True, "header", WORTH, None, False)
    assert (
        verdict_of("live", None, "jws", "whole", True, "header", replace(WORTH), None, False)
        is first
    )


def finding(line: str) -> Finding:
    """The token in a line."""
    (one,) = jwtleak.scan(f"{line.format(jws())}\n".encode())
    return one


def test_clear_text_is_of_the_url_itself() -> None:
    """Only the URL that the token stands in counts, and only where it is passed on."""
    assert is_clear(finding("GET http://app.test/cb?t={} HTTP/1.1"))
    assert not is_clear(finding("GET https://app.test/cb?t={} HTTP/1.1"))
    assert not is_clear(finding('at http://app.test/ {{"token":"{}"}}'))
    assert jwtleak.alert(finding("x {}"), now=NOW, key=b"k").severity == "high"
