"""A webhook: one request for each alert, signed as Standard Webhooks says
(`webhook+https://host/path`).

Promises: the id is the alert's and the same in each attempt; the time is that of the attempt; the
signature covers the exact bytes that are sent. Success is 2xx and nothing else. With a `template`
the receiver is a chat: critical alerts only, no signature, a few lines for people that name the
leak and its place. Nothing that an attacker wrote can mention people, make a link or use markup
there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from msgspec import UNSET

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.formats.events import EVENT_KINDS
from jwtleak.secret import Secret
from jwtleak.sinks.address import Address
from jwtleak.sinks.credential import url_kept_elsewhere
from jwtleak.sinks.http import USES as HTTP
from jwtleak.sinks.http import HttpClient, HttpReply
from jwtleak.sinks.interface import (
    ACCEPTED,
    AGAIN,
    BatchLimits,
    Message,
    Outcome,
    Report,
    all_accepted,
    moment_text,
)
from jwtleak.sinks.settings import SinkSettings, token_needed


def slack(alert: Alert) -> bytes:
    """The body of a Slack webhook. Texts are plain: no markup, no links, no mentions."""
    lines = [
        f"jwtleak: {alert.severity}: {alert.title}",
        *(f"{name}: {value}" for name, value in _facts(alert)),
    ]
    # Slack: & < > are the only characters to escape; a mention begins with <.
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    block = {
        "type": "section",
        "text": {"type": "plain_text", "text": "\n".join(lines)[:3000], "emoji": False},
    }
    return orjson.dumps(
        {"text": text[:3000], "mrkdwn": False, "unfurl_links": False, "blocks": [block]}
    )


def teams(alert: Alert) -> bytes:
    """The body of a Teams workflow: an adaptive card."""
    facts = [{"title": name, "value": _plain(value)} for name, value in _facts(alert)]
    title = {
        "type": "TextBlock",
        "weight": "bolder",
        "wrap": True,
        "text": _plain(f"{alert.severity}: {alert.title}"),
    }
    card: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [title, {"type": "FactSet", "facts": facts}],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return orjson.dumps({"type": "message", "attachments": [attachment]})


def _plain(text: str) -> str:
    """Escape the Markdown of adaptive cards: characters that begin a link, a list or emphasis."""
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


USES = HTTP | {"template"}

_PREFIX = "whsec_"
# Standard Webhooks: 24 to 64 bytes.
_KEY_BYTES = (24, 64)


class WebhookSink:
    """One endpoint."""

    guarantee = "at least once"
    format = "json"
    ascii = False
    # Standard Webhooks advises to stay below 20 kB, which alerts do.
    max_bytes = None
    # Each message is a request of its own; a batch is only read from the outbox at once.
    limits = BatchLimits(50, 1_000_000)

    def __init__(self, settings: SinkSettings, clock: Callable[[], float] = time.time) -> None:
        template = settings.get("template", None)
        self._template = None if template is None else TEMPLATES[template]
        self.only = None if template is None else 'severity == "critical" or event == "test"'
        self._settings = settings
        self._hidden = url_kept_elsewhere(settings)
        base, self._path = self._target()
        self._http = HttpClient(settings, base=base)
        self._timestamp = settings.get("timestamp", "detected")
        self._clock = clock
        # A key that cannot sign is an error of the start, not of the first alert.
        if self._template is None:
            self._sign("check", "0", b"")

    def send(self, messages: Sequence[Message]) -> Report:
        """Send one message after the other, up to the first that must wait."""
        outcomes: list[Outcome] = []
        words = ""
        for message in messages:
            reply = self._post(message)
            words = reply.reason
            if reply.problem is None:
                outcomes.append(ACCEPTED)
                continue
            if reply.problem in ("poison", "too_large"):
                outcomes.append(Outcome("refused", reply.reason, reply.status))
                continue
            # The others would meet the same trouble, and press a receiver that asks for patience.
            rest = (AGAIN,) * (len(messages) - len(outcomes))
            return Report(
                (*outcomes, *rest), reply.problem, reply.reason, reply.status, reply.retry_after
            )
        if all(outcome is ACCEPTED for outcome in outcomes):
            return all_accepted(len(outcomes), words)
        return Report(tuple(outcomes), reason=words)

    def _post(self, message: Message) -> HttpReply:
        if self._template is not None:
            return self._http.post(
                self._path, self._template(message.alert), {"content-type": "application/json"}
            )
        when = str(int(self._clock()))
        data = orjson.Fragment(message.body)
        time_of = moment_text(message.alert, self._timestamp)
        kind = EVENT_KINDS[message.alert.event]
        body = orjson.dumps({"type": kind.webhook_type, "timestamp": time_of, "data": data})
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": when,
            "webhook-signature": self._sign(message.id, when, body),
        }
        return self._http.post(self._path, body, headers)

    def _sign(self, name: str, when: str, body: bytes) -> str:
        assert self._http.credential is not None
        key = _key(self._http.credential.value())
        digest = hmac.digest(key.reveal(), f"{name}.{when}.".encode() + body, hashlib.sha256)
        return "v1," + base64.b64encode(digest).decode()

    def _target(self) -> tuple[str, str]:
        """Scheme and host, and the path with its query: of a chat's webhook, the credential."""
        address = self._settings.address
        if self._hidden is None:
            return address.http, address.path or "/"
        parts = urlsplit(self._hidden.value().reveal().decode("ascii"))
        hidden = Address(f"webhook+{parts.scheme}", parts.hostname or "", parts.port, parts.path)
        # The URL is the credential: over plain HTTP everybody on the way could read it.
        if not hidden.host or not (hidden.secure or (parts.scheme == "http" and hidden.loopback)):
            raise UsageError(f"{self._settings.title}: must hold a URL that begins with https://")
        return hidden.http, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """Certificates, the secret or the URL may have been renewed."""
        self._http.reopen()
        if self._hidden is not None:
            self._hidden.forget()
            self._http.base, self._path = self._target()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _key(secret: Secret) -> Secret:
    """The key in `whsec_...` (base64). Raises UsageError."""
    text = secret.reveal().decode("ascii")
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or not _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]:
        raise UsageError(
            f"the signing secret must be {_PREFIX} "
            f"and base64 of {_KEY_BYTES[0]} to {_KEY_BYTES[1]} bytes"
        )
    return Secret(key)


def open_sink(settings: SinkSettings) -> WebhookSink:
    """The sink `webhook+https://host/path`."""
    if settings.template is UNSET:
        token_needed(settings, f"the signing secret ({_PREFIX}...)")
    elif settings.configured() & {"token_env", "token_file", "token_credential", "format"}:
        raise UsageError(
            f"{settings.title}: a chat takes no credential and no format: its URL is the secret"
        )
    return WebhookSink(settings)
