"""Messages in a chat."""

from __future__ import annotations

import json

from msgspec import UNSET
from sending import alert

from jwtleak.alerts.alert import Location
from jwtleak.sinks.webhook import TEMPLATES, slack, teams

HOSTILE = "<!channel> <https://evil.test|click> @here *bold* [a](https://evil.test)"


def hostile() -> Location:
    """A path that an attacker chose."""
    return Location(
        source="file", path=HOSTILE, host="web-01", offset=1, length=1, line=7, column=1
    )


def test_slack() -> None:
    """Plain text that says what and where; nothing in it is markup, a mention or a link."""
    body = json.loads(slack(alert(severity="critical", location=hostile())))
    assert body["text"].startswith(
        "jwtleak: critical: Live JWT in a URL query parameter\nfile: &lt;!channel&gt;"
    )
    assert "<" not in body["text"]
    assert body["blocks"][0]["text"]["type"] == "plain_text"
    assert "line: 7" in body["text"]
    assert f"alert: {alert().id}" in body["text"]


def test_teams() -> None:
    """An adaptive card; what begins a link or emphasis is escaped."""
    body = json.loads(teams(alert(location=hostile())))
    card = body["attachments"][0]["content"]
    assert body["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    facts = {fact["title"]: fact["value"] for fact in card["body"][1]["facts"]}
    assert "\\[a\\]\\(https://evil.test\\)" in facts["file"]
    assert "\\*bold\\*" in facts["file"]
    assert facts["host"] == "web\\-01"


def test_what_is_absent_is_left_out() -> None:
    """No empty rows."""
    bare = alert(
        location=Location(source="stdin", path=UNSET, offset=1, length=1, line=1, column=1)
    )
    for template in TEMPLATES.values():
        assert b"file" not in template(bare)
