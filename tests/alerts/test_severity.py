"""Severity and confidence: the two tables, written out."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from jwtleak.alerts.severity import confidence, exposure, is_signed, rows, severity
from jwtleak.types import CONFIDENCES, SEVERITIES, ChannelType, Confidence, Integrity, Kind, Severity, Status

TABLE: list[tuple[Status, Severity, Severity, Severity, Severity]] = [
    # status, signed and spreads, signed and stays, unsigned and spreads, unsigned and stays
    ("live", "critical", "high", "medium", "low"),
    ("no_expiry", "critical", "high", "medium", "low"),
    ("not_yet_valid", "high", "medium", "low", "low"),
    ("bad_expiry", "high", "medium", "low", "low"),
    ("encrypted", "high", "medium", "high", "medium"),
    ("incomplete", "low", "low", "low", "low"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row[0]))
def test_severity(row: tuple[Status, Severity, Severity, Severity, Severity]) -> None:
    """Severity follows from the status, the signature and whether the place passes the token on."""
    status, *expected = row
    places: list[tuple[bool, ChannelType]] = [(True, "url_query"), (True, "json_field"), (False, "url_query"), (False, "json_field")]
    assert [severity(status, None, signed=signed, channel=channel) for signed, channel in places] == expected


@pytest.mark.parametrize("channel", get_args(ChannelType))
@pytest.mark.parametrize("signed", [True, False])
def test_expired(channel: ChannelType, signed: bool) -> None:
    """An expired token is low where it worked when it was logged, and else for information only."""
    assert severity("expired", True, signed=signed, channel=channel) == "low"
    assert severity("expired", False, signed=signed, channel=channel) == "info"
    assert severity("expired", None, signed=signed, channel=channel) == "info"


def test_what_spreads() -> None:
    """URLs and Referer headers are passed on by design; all other places stay in the log that was read."""
    spreading = {channel for channel in get_args(ChannelType) if exposure(channel) == "spreads"}
    assert spreading == {"url_query", "url_fragment", "url_path", "referer"}


def test_every_case_has_a_severity() -> None:
    """There is an answer for every combination, and no signature never makes it worse."""
    order = SEVERITIES.index
    for status, logged, channel in product(get_args(Status), (True, False, None), get_args(ChannelType)):
        signed = severity(status, logged, signed=True, channel=channel)
        assert order(signed) <= order(severity(status, logged, signed=False, channel=channel))


def test_rows_are_the_table() -> None:
    """The documented table is complete and says what the function says."""
    lines = list(rows())
    assert len(lines) == len(set(lines)) == (len(get_args(Status)) + 1) * 4
    assert {line[0] for line in lines} == set(get_args(Status))
    for status, told, signed, place, worth in lines:
        channel: ChannelType = "url_query" if place == "spreads" else "json_field"
        assert severity(status, told == "yes", signed=signed == "yes", channel=channel) == worth


@pytest.mark.parametrize(
    ("kind", "claims", "expected"),
    [
        *(("jws", True, True), ("jws", False, False), ("sd-jwt", True, True), ("unsecured", True, False)),
        *(("unsecured", False, False), ("detached", False, False), ("jwe", False, True)),
    ],
)
def test_signed(kind: Kind, claims: bool, expected: bool) -> None:
    """A credential has claims under a signature, or is encrypted."""
    assert is_signed(kind, claims=claims) is expected


CONFIDENT: list[tuple[Kind, bool, Integrity, Confidence]] = [
    *(("jws", True, "whole", "high"), ("jws", True, "odd", "medium"), ("jws", True, "clipped", "medium")),
    *(("jws", False, "whole", "medium"), ("jws", False, "odd", "low"), ("jws", False, "clipped", "low")),
    *(("sd-jwt", True, "whole", "high"), ("sd-jwt", True, "clipped", "medium")),
    *(("detached", False, "whole", "medium"), ("detached", False, "odd", "low"), ("detached", False, "clipped", "low")),
    *(("unsecured", True, "whole", "medium"), ("unsecured", False, "odd", "medium"), ("unsecured", False, "clipped", "low")),
    *(("jwe", False, "whole", "medium"), ("jwe", False, "odd", "medium"), ("jwe", False, "clipped", "low")),
]  # fmt: skip


@pytest.mark.parametrize("row", CONFIDENT, ids=str)
def test_confidence(row: tuple[Kind, bool, Integrity, Confidence]) -> None:
    """Confidence follows from the kind, the claims and the lengths."""
    kind, claims, integrity, expected = row
    assert confidence(kind, integrity, claims=claims) == expected


def test_confidence_is_total() -> None:
    """There is an answer for every combination."""
    for kind, integrity, claims in product(get_args(Kind), get_args(Integrity), (True, False)):
        assert confidence(kind, integrity, claims=claims) in CONFIDENCES
