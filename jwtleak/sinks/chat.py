"""Messages for people in a chat: Slack's and Teams' incoming webhooks.

Promises: a few lines that name the leak and where it is; what an attacker wrote cannot mention people, make a link or use
markup there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from jwtleak.alerts.alert import Alert

_encode = msgspec.json.Encoder().encode


def slack(alert: Alert) -> bytes:
    """The body of a Slack webhook. Texts are plain: no markup, no links, no mentions."""
    lines = [f"jwtleak: {alert.severity}: {alert.title}", *(f"{name}: {value}" for name, value in _facts(alert))]
    # Slack: & < > are the only characters to escape; a mention begins with <.
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    block = {"type": "section", "text": {"type": "plain_text", "text": "\n".join(lines)[:3000], "emoji": False}}
    return _encode({"text": text[:3000], "mrkdwn": False, "unfurl_links": False, "blocks": [block]})


def teams(alert: Alert) -> bytes:
    """The body of a Teams workflow: an adaptive card. A fact set shows text runs without links of our making."""
    facts = [{"title": name, "value": _plain(value)} for name, value in _facts(alert)]
    title = {"type": "TextBlock", "weight": "bolder", "wrap": True, "text": _plain(f"{alert.severity}: {alert.title}")}
    card: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [title, {"type": "FactSet", "facts": facts}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return _encode({"type": "message", "attachments": [attachment]})


def _plain(text: str) -> str:
    """Adaptive cards know a little Markdown: what begins a link, a list or emphasis is escaped."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]()#+-!<>~|" else sign for sign in text)


def _facts(alert: Alert) -> list[tuple[str, str]]:
    where, token = alert.location, alert.token
    facts = [
        ("file", where.path),
        ("member", where.member),
        ("line", str(where.line)),
        ("host", where.host),
        ("issuer", token.issuer),
        ("expires", token.expires_at),
        ("token", f"SHA-256 {token.sha256[:16]}..."),
        ("alert", alert.id),
    ]
    return [(name, value) for name, value in facts if value]


TEMPLATES: dict[str, Callable[[Alert], bytes]] = {"slack": slack, "teams": teams}
