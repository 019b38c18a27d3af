"""LEEF against a strict reader; there is no official validator."""

from __future__ import annotations

import datetime

from grammars import leef
from hypothesis import given, settings
from sample_alerts import EVENTS, alerts, full, hostile, least

from jwtleak.formats.interface import DEFAULT, FormatOptions
from jwtleak.formats.leef import KNOWN, OWN, camel, make


def written(alert, **options):
    """The event as text."""
    return make(FormatOptions(**options)).encode(alert).decode()


def test_the_attributes_that_qradar_maps():
    """Header, time, severity and category stand under LEEF's own names."""
    head, found = leef(written(full()))
    assert head == ["LEEF:2.0", "jwtleak", "jwtleak", head[3], "jwt.url_query", "x09"]
    assert (found["devTime"], found["devTimeFormat"]) == (
        "Jan 15 2026 12:02:32.004 UTC",
        "MMM dd yyyy HH:mm:ss.SSS z",
    )
    assert (found["sev"], found["cat"], found["identHostName"]) == (
        "8",
        "credential-leak",
        "web-01.example.com",
    )
    assert (found["fingerprint"], found["jwtAud"], found["liveWhenLogged"]) == (
        f"sha256:{full().token.sha256}", "api://orders, api://stock", "true",
    )  # fmt: skip
    assert leef(written(full(), timestamp="event"))[1]["devTime"] == "Jan 15 2026 12:02:31.123 UTC"
    assert leef(written(least()))[1]["sev"] == "1"


def test_the_time_can_be_read_by_its_format():
    """What devTime holds is what devTimeFormat says."""
    text = leef(written(full()))[1]["devTime"]
    moment = datetime.datetime.strptime(text.removesuffix(" UTC"), "%b %d %Y %H:%M:%S.%f")
    assert moment == datetime.datetime(2026, 1, 15, 12, 2, 32, 4000)


def test_every_alert_is_of_the_grammar():
    """Whatever the texts, no attribute is forged and none is lost."""
    known = {name for name, *_ in (*KNOWN, *OWN)} | {"devTime", "devTimeFormat", "cat", "sev"}
    for alert in (*(full(event=event) for event in EVENTS), *(one for _, one in hostile())):
        _, found = leef(written(alert))
        assert set(found) <= known
        assert found["externalId"] == alert.id


@given(alerts())
@settings(max_examples=100, deadline=None)
def test_any_alert_is_of_the_grammar(alert):
    """Whatever the alert, the strict reader takes it and finds its id."""
    assert leef(make(DEFAULT).encode(alert).decode())[1]["externalId"] == alert.id


def test_a_pipe_in_the_header_is_replaced():
    """A user pattern's id cannot end the header."""
    head, _ = leef(written(least(pattern="a|b|c")))
    assert head[4] == "pattern.a_b_c"


def test_names():
    """Names of attributes are in camel case, and each is used once."""
    assert camel("jwt.ttl_remaining_s") == "jwtTtlRemainingS"
    names = [name for name, *_ in (*KNOWN, *OWN)]
    assert len(names) == len(set(names))
