"""Conditions that say which alerts go to a sink."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sending import alert

from jwtleak.alerts.alert import AlertChannel, TokenFacts
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery.route import MAX_LENGTH, both, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('severity >= "high"', True),
        ('severity > "high"', False),
        ('severity <= "high"', True),
        ('severity < "critical"', True),
        ('severity == "high"', True),
        ('severity != "high"', False),
        ('severity in ["critical", "high"]', True),
        ('severity not in ("critical", "high")', False),
        ('confidence >= "medium"', True),
        ('status == "live" and channel == "url_query"', True),
        ('status == "expired" or event == "leak"', True),
        ('not (status == "live")', False),
        ('provider == "auth0"', True),
        ('provider in ["okta"]', False),
        ("  severity >= 'low'  ", True),
    ],
)
def test_conditions(text: str, wanted: bool) -> None:
    """Order is by how bad it is; texts are compared whole."""
    facts: Any = {"sha256": "0" * 64, "kind": "jws", "status": "live", "provider": "auth0"}
    found = alert(token=TokenFacts(**facts), channel=AlertChannel("url_query"))
    assert parse(text).wants(found) is wanted


def test_what_is_absent_equals_nothing() -> None:
    """An alert without a status or provider is not equal to any, and is unequal to all."""
    bare = alert(token=TokenFacts("0" * 64, "pattern"))
    assert not parse('status == "live"').wants(bare)
    assert parse('status != "live"').wants(bare)
    assert parse('provider not in ["auth0"]').wants(bare)


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ('severity >= "high"', True),
        ('not (event == "repeat") and severity in ["low"]', True),
        ('severity >= "high" or status == "live"', False),
        ('provider == "severity"', False),
    ],
)
def test_some_conditions_need_no_alert(text: str, enough: bool) -> None:
    """Severity and event are fields of the outbox entry; all else is only in the JSON."""
    assert parse(text).entry_is_enough is enough
    assert both(parse('event == "leak"'), parse(text)).entry_is_enough is enough
    assert both(parse(text), None).entry_is_enough is enough


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a condition"),
        ("severity >=", "is not a condition"),
        ("severity", "expected a comparison"),
        ('"high" <= severity', "expected a comparison"),
        ('"low" < severity < "high"', "expected a comparison"),
        ("severity >= 3", "column 13: severity is compared with a text"),
        ('severity >= "urgent"', "column 13: severity is never 'urgent': one of critical, high"),
        ('level == "high"', "column 1: there is no field 'level': one of severity"),
        ('status >= "live"', "column 1: status is compared with ==, != or in"),
        ('status in "live"', "after `in` stands a list"),
        ('__import__("os").system("id") == "x"', "expected a comparison"),
        ('severity == "high" if 1 else 2', "expected a comparison"),
        ("(" * 500 + ")" * 500, "is not a condition"),
        ("not " * 600 + "x", "longer than"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(text: str, says: str) -> None:
    """A condition that cannot work is refused with its place and what would be right."""
    with pytest.raises(UsageError, match=r"^when: ") as caught:
        parse(text)
    assert says in str(caught.value)


@given(st.text(alphabet='severity >=<!&|()"highlow andornot[],1', max_size=MAX_LENGTH))
def test_any_text_is_a_route_or_a_usage_error(text: str) -> None:
    """No text makes the parser fail otherwise, and no route fails on an alert."""
    try:
        route = parse(text)
    except UsageError:
        return
    assert route.wants(alert()) in (True, False)
