"""Figures of one sink."""

from __future__ import annotations

import pytest

from jwtleak.runtime.delivery.retry import RetryState, decide
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.sinks.interface import ACCEPTED, AGAIN, Outcome, Report, all_accepted, failed


def after(health: SinkHealth, state: RetryState, report: Report) -> SinkHealth:
    """The figures after a report."""
    return health.after(report, decide(state, report, 0.0), 77)


def test_what_became_of_each_message_is_counted() -> None:
    """Accepted, refused and to be sent again are three figures."""
    report = Report(
        (ACCEPTED, ACCEPTED, Outcome("refused", "too old", 400), AGAIN), "busy", "HTTP 429"
    )
    health = after(SinkHealth("s"), RetryState(), report)
    assert (health.sent, health.dead, health.retried, health.last_sent_ms) == (2, 1, 1, 77)
    assert health.reason == "HTTP 429"


def test_a_reason_lasts_as_long_as_the_trouble() -> None:
    """It is shown while something is wrong and gone with the first success."""
    trouble = after(
        SinkHealth("s"), RetryState(failures=9), failed(1, "busy", "connection refused")
    )
    assert (trouble.state, trouble.reason) == ("failing", "connection refused")
    well = after(trouble, RetryState(failures=9, reported="failing"), all_accepted(1))
    assert (well.state, well.reason) == (None, "")


@pytest.mark.parametrize("news", ["failing", "blocked", "refusing", "recovered"])
def test_news_name_the_sink(news: str) -> None:
    """Each is one line, and all but the good one say why."""
    words = SinkHealth("siem", reason="HTTP 401").words(news)  # type: ignore[arg-type]
    assert words.startswith("sink siem: ")
    assert ("HTTP 401" in words) == (news != "recovered")
