"""References."""

from __future__ import annotations

from jwtleak.formats.levels import cwe_numbers, links


def test_references():
    """Weaknesses become numbers and links; links stay; the rest is left out."""
    references = ("CWE-598", "RFC 6750 section 5.3", "https://a.test/x", "CWE-x", "javascript:1")
    assert cwe_numbers(references) == ["598"]
    assert links(references) == [
        "https://cwe.mitre.org/data/definitions/598.html",
        "https://a.test/x",
    ]
