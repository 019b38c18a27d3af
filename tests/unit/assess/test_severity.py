"""Severity and confidence: the two tables, written out."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from msgspec.structs import replace

from jwtleak.assess.severity import (
    BASE_REASONS,
    RULES,
    Case,
    base,
    confidence,
    exposure,
    is_signed,
    raised,
    severity,
)
from jwtleak.types import (
    CONFIDENCES,
    SEVERITIES,
    ChannelType,
    Confidence,
    Integrity,
    Kind,
    Severity,
    Status,
)

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
    places: list[tuple[bool, ChannelType]] = [
        (True, "url_query"),
        (True, "json_field"),
        (False, "url_query"),
        (False, "json_field"),
    ]
    assert [
        base(status, None, signed=signed, channel=channel) for signed, channel in places
    ] == expected


@pytest.mark.parametrize("channel", get_args(ChannelType))
@pytest.mark.parametrize("signed", [True, False])
def test_expired(channel: ChannelType, signed: bool) -> None:
    """An expired token is low where it worked when it was logged, and else for information only."""
    assert base("expired", True, signed=signed, channel=channel) == "low"
    assert base("expired", False, signed=signed, channel=channel) == "info"
    assert base("expired", None, signed=signed, channel=channel) == "info"


def test_what_spreads() -> None:
    """URLs and Referer headers are passed on by design; all other places stay in the log that was
    read.
    """
    spreading = {channel for channel in get_args(ChannelType) if exposure(channel) == "spreads"}
    assert spreading == {"url_query", "url_fragment", "url_path", "referer"}


def test_every_case_has_a_severity() -> None:
    """There is an answer for every combination, and no signature never makes it worse."""
    order = SEVERITIES.index
    for status, logged, channel in product(
        get_args(Status), (True, False, None), get_args(ChannelType)
    ):
        signed = base(status, logged, signed=True, channel=channel)
        assert order(signed) <= order(base(status, logged, signed=False, channel=channel))


@pytest.mark.parametrize(
    ("kind", "claims", "expected"),
    [
        *(
            ("jws", True, True),
            ("jws", False, False),
            ("sd-jwt", True, True),
            ("unsecured", True, False),
        ),
        *(("unsecured", False, False), ("detached", False, False), ("jwe", False, True)),
    ],
)
def test_signed(kind: Kind, claims: bool, expected: bool) -> None:
    """A credential has claims under a signature, or is encrypted."""
    assert is_signed(kind, claims=claims) is expected


CONFIDENT: list[tuple[Kind, bool, Integrity, Confidence]] = [
    *(
        ("jws", True, "whole", "high"),
        ("jws", True, "odd", "medium"),
        ("jws", True, "clipped", "medium"),
    ),
    *(
        ("jws", False, "whole", "medium"),
        ("jws", False, "odd", "low"),
        ("jws", False, "clipped", "low"),
    ),
    *(("sd-jwt", True, "whole", "high"), ("sd-jwt", True, "clipped", "medium")),
    *(
        ("detached", False, "whole", "medium"),
        ("detached", False, "odd", "low"),
        ("detached", False, "clipped", "low"),
    ),
    *(
        ("unsecured", True, "whole", "medium"),
        ("unsecured", False, "odd", "medium"),
        ("unsecured", False, "clipped", "low"),
    ),
    *(
        ("jwe", False, "whole", "medium"),
        ("jwe", False, "odd", "medium"),
        ("jwe", False, "clipped", "low"),
    ),
]


@pytest.mark.parametrize("row", CONFIDENT, ids=str)
def test_confidence(row: tuple[Kind, bool, Integrity, Confidence]) -> None:
    """Confidence follows from the kind, the claims and the lengths."""
    kind, claims, integrity, expected = row
    assert confidence(kind, integrity, claims=claims) == expected


def test_confidence_is_total() -> None:
    """There is an answer for every combination."""
    for kind, integrity, claims in product(get_args(Kind), get_args(Integrity), (True, False)):
        assert confidence(kind, integrity, claims=claims) in CONFIDENCES


LIVE = Case(status="live", live_when_logged=None, signed=True, channel="header")  # high
SPREADS = replace(LIVE, channel="url_query")  # critical
EXPIRED = replace(LIVE, status="expired", live_when_logged=False)  # info

ADJUSTED: list[tuple[Case, Severity, str]] = [
    (replace(SPREADS, example=True), "info", "known_example"),
    (replace(EXPIRED, signature="published_key"), "critical", "published_key"),
    (replace(EXPIRED, signature="weak_key"), "critical", "weak_key"),
    (replace(SPREADS, public=True), "info", "public_by_design"),
    (replace(LIVE, signature="valid"), "critical", "signature_valid"),
    (replace(LIVE, admin=True), "critical", "admin_privilege"),
    (replace(LIVE, privilege="admin"), "critical", "admin_privilege"),
    (replace(LIVE, privilege="service"), "critical", "service_privilege"),
    (replace(LIVE, long_lived=True), "critical", "long_lived_use"),
    (replace(LIVE, privilege="low"), "medium", "low_privilege"),
    (replace(SPREADS, signature="invalid"), "low", "signature_invalid"),
    (replace(EXPIRED, secret=True), "high", "secret_claim"),
    (replace(EXPIRED, personal=True), "low", "personal_data"),
]


@pytest.mark.parametrize(("case", "level", "code"), ADJUSTED, ids=lambda one: str(one)[:40])
def test_each_rule_adjusts(case: Case, level: Severity, code: str) -> None:
    """Each rule changes the severity as it says, and puts its code behind the reasons of the
    base.
    """
    found, reasons = severity(case)
    assert (found, reasons[-1]) == (level, code)


NOT_ADJUSTED: list[tuple[Case, str]] = [
    (LIVE, "known_example"),
    (replace(LIVE, signature="unchecked"), "published_key"),
    (replace(LIVE, signature="published_key"), "weak_key"),
    (LIVE, "public_by_design"),
    (replace(EXPIRED, signature="valid"), "signature_valid"),
    (replace(LIVE, signature="valid", public=True), "signature_valid"),
    (replace(EXPIRED, admin=True), "admin_privilege"),
    (replace(LIVE, admin=True, signed=False), "admin_privilege"),
    (replace(LIVE, privilege="service", admin=True), "service_privilege"),
    (replace(EXPIRED, privilege="service"), "service_privilege"),
    (replace(EXPIRED, long_lived=True), "long_lived_use"),
    (replace(LIVE, privilege="low", admin=True), "low_privilege"),
    (replace(LIVE, signature="valid"), "signature_invalid"),
    (replace(LIVE, personal=True), "secret_claim"),
    (replace(LIVE, secret=True), "personal_data"),
]


@pytest.mark.parametrize(("case", "code"), NOT_ADJUSTED, ids=lambda one: str(one)[:40])
def test_each_rule_leaves_others_alone(case: Case, code: str) -> None:
    """No rule speaks of a case that is not its own."""
    assert code not in severity(case)[1]


def test_every_rule_is_tried() -> None:
    """Each rule has a case that it adjusts and one that it does not."""
    codes = {rule.code for rule in RULES}
    assert {code for _, _, code in ADJUSTED} == {code for _, code in NOT_ADJUSTED} == codes


def test_examples_come_before_keys() -> None:
    """A known example is for information whatever signed it; a published key outweighs all that a
    token says of itself.
    """
    assert (
        severity(replace(SPREADS, example=True, signature="published_key", secret=True))[0]
        == "info"
    )
    assert severity(replace(LIVE, public=True, signature="published_key")) == (
        "critical",
        ("live", "published_key"),
    )


def test_reasons_of_the_base() -> None:
    """The status always, then whether it worked then, whether the place passes it on, and whether
    anyone would accept it.
    """
    assert severity(SPREADS) == ("critical", ("live", "spreads"))
    assert severity(LIVE) == ("high", ("live",))
    assert severity(replace(EXPIRED, live_when_logged=True))[1] == ("expired", "live_when_logged")
    assert severity(replace(LIVE, signed=False))[1] == ("live", "unsigned")
    assert severity(replace(SPREADS, status="incomplete", signed=False))[1] == ("incomplete",)
    assert set(BASE_REASONS) == {"live_when_logged", "spreads", "unsigned", "policy"}


def test_raised() -> None:
    """A rule of the policy lifts to its severity and never lowers."""
    assert (raised("low", "high"), raised("critical", "high")) == ("high", "critical")


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("valid", "high"),
        ("published_key", "high"),
        ("weak_key", "high"),
        ("invalid", "medium"),
        ("unchecked", "high"),
        (None, "high"),
    ],
)
def test_confidence_by_signature(signature: str | None, expected: Confidence) -> None:
    """A signature that a key made settles that it is a token; one that the issuer's keys did not
    make takes a step.
    """
    assert confidence("jws", "whole", claims=True, signature=signature) == expected
    assert confidence("jws", "odd", claims=False, signature="valid") == "high"
