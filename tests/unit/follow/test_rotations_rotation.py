"""Names of rotated files."""

from __future__ import annotations

import pytest

from jwtleak.follow.rotations import bases, is_generation


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("a.log", "a.log.1"),
        ("a.log", "a.log.12.gz"),
        ("a.log", "a.log-20260101"),
        ("a.log", "a.log-20260101-1767225600.xz"),
        ("a.log", "a.log.2026-01-01T10:00:00Z"),
        ("a.log", "a.log.old"),
        ("a.log", "a.log.gz"),
        ("a.log", "a-2026-01-01.log"),
        ("a.log", "a.1.log.gz"),
        ("syslog", "syslog.1"),
        ("0.log", "0.log.20260101-101010"),
    ],
)
def test_generations(base: str, name: str) -> None:
    """What logrotate, log4j, the kubelet and others make of a name."""
    assert is_generation(base, name)
    assert base in bases(name)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("a.log", "a.log"),
        ("a.log", "a.log.example"),
        ("a.log", "a.logger"),
        ("a.log", "b.log.1"),
        ("a.log", "a.log.1.txt"),
        ("a.log", "access.log"),
        ("a.log", "a-b.log"),
        ("syslog", "syslogd"),
        (".log", "x.1.log"),
    ],
)
def test_strangers(base: str, name: str) -> None:
    """A name that only begins alike is another log."""
    assert not is_generation(base, name)
    assert base not in bases(name)
