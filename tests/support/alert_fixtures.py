"""Alerts from tokens, without a scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from minting import NOW, sha256

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.types import Channel, Finding, StreamInfo

Make = Callable[..., Alert]


@pytest.fixture
def make() -> Make:
    """make(token, ...): the alert for a token at offset 7 of `app.log`, at the moment NOW."""

    def build(
        token: str,
        *,
        path: str | None = "app.log",
        now: float = NOW,
        name: str = "0" * 40,
        **finding: Any,
    ) -> Alert:
        raw = token.encode()
        match = Matcher().at(raw, 0, len(raw))
        assert isinstance(match, TokenMatch)
        channel = finding.pop("channel", Channel("url_query", "t"))
        values = {
            "offset": 7,
            "length": len(raw),
            "line": 1,
            "column": 8,
            "encodings": (),
            "logged_at": None,
            "excerpt": "t=[JWT]",
        }
        one = Finding(
            token=match.token, sha256=sha256(token), channel=channel, **{**values, **finding}
        )
        stream = StreamInfo("file" if path else "stdin", path, finding.get("member"))
        return Builder(stream, AlertContext(now, "web-01", b"key")).build(one, name)

    return build
