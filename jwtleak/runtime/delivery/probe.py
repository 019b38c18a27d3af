"""`test-sink`: one synthetic alert through one sink, and what the answer says about the sink.

Promises: the alert is formatted as any other; it goes out once, is not stored, and passes no route.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator

import msgspec
from msgspec import UNSET

from jwtleak.alerts.synthetic import probe_alert
from jwtleak.errors import JwtleakError, place_of
from jwtleak.runtime.delivery.messages import encoder
from jwtleak.sinks.interface import Message, Report, Sink, failed, open_sink
from jwtleak.sinks.settings import SinkSettings


class ProbeResult(msgspec.Struct, frozen=True):
    """What came back. `words` come from the receiver or describe it; `hints` say what to check."""

    accepted: bool
    words: str
    seconds: float
    id: str
    guarantee: str
    hints: tuple[str, ...] = ()


def probe(settings: SinkSettings, clock: Callable[[], float] = time.monotonic) -> ProbeResult:
    """Send the test alert. Raises UsageError for settings that cannot work."""
    sink = open_sink(settings)
    try:
        encode = encoder(settings, sink)
        detected_ms = time.time_ns() // 1_000_000
        alert = probe_alert(secrets.token_bytes(16), detected_ms, os.uname().nodename)
        began = clock()
        report = _send(sink, Message(alert, detected_ms, encode(alert)))
        seconds = clock() - began
    finally:
        sink.close()
    # The message's own reason is more exact than that of the batch, where the receiver names it.
    outcome = report.outcomes[0]
    accepted = outcome.kind == "accepted"
    words = outcome.reason or report.reason or "no reason was given"
    hints = () if accepted else tuple(_hints(settings, report))
    return ProbeResult(accepted, words, seconds, alert.id, sink.guarantee, hints)


def _send(sink: Sink, message: Message) -> Report:
    try:
        return sink.send([message])
    except JwtleakError as error:
        # As a sender judges it: the hints of `blocked` and `busy` differ.
        return failed(1, "blocked", str(error))
    except Exception as error:
        return failed(1, "busy", place_of(error))


def _hints(settings: SinkSettings, report: Report) -> Iterator[str]:
    status = report.status
    if status in (401, 403):
        if settings.configured() & {"token_env", "token_file", "token_credential"}:
            yield "the receiver does not accept the credential, or it may not write there"
        else:
            yield (
                "the receiver wants a credential: "
                "name its place with token_env, token_file or token_credential"
            )
    elif status is not None and (status in (404, 405) or 300 <= status < 400):
        yield "the address is not that of the receiver: look at host, port and path"
    elif status == 413 or report.problem == "too_large":
        yield "the receiver takes only smaller events: set max_bytes"
    elif "certificate" in report.reason and settings.ca_file is UNSET and settings.address.secure:
        yield "a certificate of a private authority is checked with ca_file"
    elif report.reason == "connection refused":
        yield "nothing listens there: look at host and port, and whether the receiver runs"
    elif report.problem == "busy":
        yield "this may pass: while it lasts, alerts are kept and sent later"
