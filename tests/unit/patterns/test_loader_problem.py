"""What the checks of pattern files share."""

from __future__ import annotations

from jwtleak.patterns.loader import Problem, b64


def test_segments() -> None:
    """A segment is base64url without padding."""
    assert (b64(b""), b64(b"\xfb\xff"), b64(b"abc")) == ("", "-_8", "YWJj")


def test_a_problem_is_told_in_three_parts() -> None:
    """File, entry and message."""
    assert Problem("a.toml", "x", "is wrong") == ("a.toml", "x", "is wrong")
