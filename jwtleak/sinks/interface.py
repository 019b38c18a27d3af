"""What a sink promises to the runtime, and the way from a URL to a sink.

Promises: a sink sends a batch and reports what became of each message. Its errors are values
(`Report`), not exceptions. It holds no token: the alerts that it gets are redacted. Refuses to
decide when to try again, and to keep anything that would be lost with the process.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.formats.layout import milliseconds
from jwtleak.sinks.settings import SinkSettings
from jwtleak.types import Severity


class Message(msgspec.Struct, frozen=True, gc=False):
    """One alert for one sink: `body` is the alert in the sink's format, `at_ms` the Unix time at
    which it entered the outbox.
    """

    alert: Alert
    at_ms: int
    body: bytes

    @property
    def id(self) -> str:
        """The id of the occurrence: the same in each attempt."""
        return self.alert.id

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the token, in hex."""
        return self.alert.token.sha256

    @property
    def severity(self) -> Severity:
        """As in the alert."""
        return self.alert.severity

    @property
    def event(self) -> str:
        """leak, repeat, heartbeat or test."""
        return self.alert.event


class Outcome(msgspec.Struct, frozen=True):
    """What became of one message. `again` asks for another attempt; `refused` is final, since only
    another receiver or setting would change it.
    """

    kind: Literal["accepted", "again", "refused"]
    reason: str = ""
    status: int | None = None


ACCEPTED = Outcome("accepted")
AGAIN = Outcome("again")

# What was wrong with the batch as a whole, and what helps:
#   busy       the receiver is down, slow, or asks for patience: the same batch, later
#   blocked    credentials, certificate, address or a setting: somebody must act; it is tried again
#              every few minutes, to notice when they did
#   too_large  the receiver accepts less at once: smaller batches
#   poison     the receiver refuses a message and does not say which: halves, until it is alone
Problem: TypeAlias = Literal["busy", "blocked", "too_large", "poison"]


class Report(msgspec.Struct, frozen=True):
    """What became of a batch. `outcomes` has one entry for each message, in order; `retry_after` is
    in seconds, as the receiver asked.
    """

    outcomes: tuple[Outcome, ...]
    problem: Problem | None = None
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None


def all_accepted(count: int, reason: str = "") -> Report:
    """Every message was accepted; `reason` is what the receiver said."""
    return Report((ACCEPTED,) * count, reason=reason)


def failed(
    count: int,
    problem: Problem,
    reason: str,
    status: int | None = None,
    retry_after: float | None = None,
) -> Report:
    """No message was accepted. Each is sent again, unless it was alone and `problem` is its own."""
    return Report((AGAIN,) * count, problem, reason, status, retry_after)


class BatchLimits(msgspec.Struct, frozen=True):
    """The largest batch in messages and bytes; `linger` is how long (seconds) a batch that is not
    full may wait for more.
    """

    messages: int
    size: int
    linger: float = 0.0


class Sink(Protocol):
    """One receiver."""

    guarantee: str  # in plain words, for people
    format: str  # the default format
    ascii: bool  # whether only ASCII may be sent
    max_bytes: int | None  # the default limit of one event
    limits: BatchLimits
    only: str | None  # a condition in addition to `when` of the settings

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch. Blocks no longer than the timeout of the settings. Raises only for bugs."""

    def idle(self) -> None:
        """Called about every second while nothing is sent: check the connection."""

    def reopen(self) -> None:
        """Files were rotated, certificates or credentials renewed: close; the next `send` opens
        again.
        """

    def close(self) -> None:
        """Close everything. May be called more than once."""


# Scheme -> module, loaded when the scheme is used. A module has `open_sink(settings) -> Sink` and
# `USES`, the names of the settings that it reads.
_MODULES = {
    "stdout": "stdout",
    "file": "file",
    "syslog+udp": "syslog",
    "syslog+tcp": "syslog",
    "syslog+tls": "syslog",
    "syslog+unix": "syslog",
    "hec+https": "hec",
    "hec+http": "hec",
    "elastic+https": "elastic",
    "elastic+http": "elastic",
    "otlp+https": "otlp",
    "otlp+http": "otlp",
    "webhook+https": "webhook",
    "webhook+http": "webhook",
    "kafka": "kafka",
    "kafka+tls": "kafka",
    "nats": "nats",
    "nats+tls": "nats",
    "gelf+tcp": "gelf",
    "gelf+tls": "gelf",
    "gelf+udp": "gelf",
    "s3": "s3",
}
SCHEMES = tuple(_MODULES)

# Settings that delivery reads, for every sink.
_COMMON = frozenset(
    {
        *("url", "url_env", "url_file", "name", "when", "format", "timestamp", "max_bytes"),
        *("rate", "batch", "batch_bytes", "linger", "queue", "when_full"),
    }
)


def open_sink(settings: SinkSettings) -> Sink:
    """Check the settings and make the sink; sends and connects nothing. Raises UsageError."""
    scheme = settings.address.scheme
    if scheme not in _MODULES:
        raise UsageError(
            f"{settings.title}: there is no sink {scheme!r}: one of {', '.join(SCHEMES)}"
        )
    module = importlib.import_module(f"jwtleak.sinks.{_MODULES[scheme]}")
    # A setting that is ignored is worse than an error: somebody relies on it.
    unused = settings.configured() - _COMMON - module.USES
    if unused:
        raise UsageError(
            f"{settings.title}: a {scheme} sink has no setting {', '.join(sorted(unused))}"
        )
    sink: Sink = module.open_sink(settings)
    return sink


def needs_extra(name: str, package: str) -> UsageError:
    """The error for a sink whose library is not installed."""
    return UsageError(f"needs the extra {name!r} ({package}): pip install 'jwtleak[{name}]'")


def moment(alert: Alert, timestamp: Literal["event", "detected"]) -> int:
    """The time of an alert in a receiver, in Unix milliseconds: of its line (`event`) or of its
    detection. An alert without a time of its line gets that of its detection.
    """
    return milliseconds(moment_text(alert, timestamp))


def moment_text(alert: Alert, timestamp: Literal["event", "detected"]) -> str:
    """The same as RFC 3339, UTC, three fraction digits."""
    return alert.logged_at if timestamp == "event" and alert.logged_at else alert.detected_at
