"""Syslog messages, parsed by a strict reading of the RFC."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sending import alert

from jwtleak.alerts.alert import Location
from jwtleak.sinks.syslog import Style, line

TIME = "2026-01-05T12:00:00.456Z"
# RFC 5424 section 6, with the fields that are always present.
_RFC5424 = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) "
    rb"([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "
    rb'\[([!#-<>-\\^-~]{1,32})((?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] (.*)',
    re.DOTALL,
)


def place(path: str, host: str = "web-01") -> Location:
    """A location with an attacker's names."""
    return Location(source="file", path=path, host=host, offset=5, length=1, line=3, column=1)


def parsed(data: bytes) -> tuple[list[bytes], dict[str, str]]:
    """Header fields and structured data."""
    found = _RFC5424.fullmatch(data)
    assert found is not None, data
    pairs = re.findall(rb' ([^ =]+)="((?:[^"\\\]]|\\["\\\]])*)"', found[8])
    values = {
        name.decode(): re.sub(rb'\\(["\\\]])', rb"\1", value).decode() for name, value in pairs
    }
    return [*found.groups()[:7], found[9]], values


def test_a_message_has_its_fields() -> None:
    """Priority from facility and severity; the rule as MSGID; the ids as structured data."""
    header, values = parsed(line(alert(), b'{"a":1}', TIME, Style(procid="42")))
    assert header == [
        b"108",
        TIME.encode(),
        b"web-01",
        b"jwtleak",
        b"42",
        b"jwt.url_query",
        b"jwtleak@32473",
        b'{"a":1}',
    ]
    one = alert()
    assert values == {
        "id": one.id,
        "event": "leak",
        "severity": "high",
        "fp": f"sha256:{one.token.sha256}",
        "channel": "url_query",
        "status": "live",
        "file": "/var/log/a.log",
        "line": "1",
        "offset": "0",
    }


@pytest.mark.parametrize(
    ("severity", "facility", "priority"),
    [
        ("critical", 13, 106),
        ("high", 13, 108),
        ("medium", 16, 133),
        ("low", 0, 6),
        ("info", 23, 190),
    ],
)
def test_priorities(severity: str, facility: int, priority: int) -> None:
    """Eight times the facility, and the severity."""
    data = line(alert(severity=severity), b"x", TIME, Style(facility=facility))
    assert data.startswith(f"<{priority}>1 ".encode())


def test_slim_structured_data_is_the_id() -> None:
    """For datagrams, where each byte counts."""
    assert parsed(line(alert(), b"x", TIME, Style(slim=True)))[1] == {"id": alert().id}


def test_the_old_form() -> None:
    """RFC 3164: the day padded with a blank, no year, no zone."""
    assert (
        line(alert(), b"CEF:0|x", TIME, Style(rfc=3164))
        == b"<108>Jan  5 12:00:00 web-01 jwtleak: CEF:0|x"
    )


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_name_breaks_out(path: str, host: str) -> None:
    """Whatever a path or a host is called, the message is one and its values are whole."""
    _, values = parsed(line(alert(location=place(path, host)), b"x", TIME, Style()))
    assert values.get("file", "") == path.encode("ascii", "replace").decode()
    assert values["line"] == "3"
