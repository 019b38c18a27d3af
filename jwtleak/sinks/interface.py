"""What a sink promises to the runtime, and the way from a URL to a sink.

A sink sends a batch and says what became of each message. It never decides when to try again, keeps
nothing that would be lost with the process, and holds no token: what it gets is redacted. Its
errors are values (`Report`), not exceptions.
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
    """One alert on its way: `body` is the alert in the format of the sink, `at_ms` when it was put
    into the outbox.
    """

    alert: Alert
    at_ms: int
    body: bytes

    @property
    def id(self) -> str:
        """The name of the occurrence: the same whenever it is sent."""
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
    """What became of one message. `refused` is for ever: nothing but another receiver or setting
    would change it.
    """

    kind: Literal["accepted", "again", "refused"]
    reason: str = ""
    status: int | None = None


ACCEPTED = Outcome("accepted")
AGAIN = Outcome("again")

# What was wrong with the batch as a whole:
#   busy       the receiver is not there, is slow, or asks for patience: the same batch later
# blocked    credentials, certificate, address or a setting: nothing will be taken until somebody
# acts
#   too_large  smaller batches
#   poison     a message in it is refused, and the receiver does not say which
Problem: TypeAlias = Literal["busy", "blocked", "too_large", "poison"]


class Report(msgspec.Struct, frozen=True):
    """What came back for a batch. `outcomes` has one entry for each message, in order."""

    outcomes: tuple[Outcome, ...]
    problem: Problem | None = None
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None  # seconds, as the receiver asked


def all_accepted(count: int, reason: str = "") -> Report:
    """Every message was taken; `reason` is what the receiver said."""
    return Report((ACCEPTED,) * count, reason=reason)


def failed(
    count: int,
    problem: Problem,
    reason: str,
    status: int | None = None,
    retry_after: float | None = None,
) -> Report:
    """None was taken."""
    return Report((AGAIN,) * count, problem, reason, status, retry_after)


class BatchLimits(msgspec.Struct, frozen=True):
    """The largest batch, and how long (seconds) a batch that is not full may wait for more."""

    messages: int
    size: int
    linger: float = 0.0


class Sink(Protocol):
    """One receiver."""

    guarantee: str  # in plain words, for people
    format: str  # used when the settings name none
    ascii: bool  # whether only ASCII may be sent
    max_bytes: int | None  # the most that one event may have, where the settings do not say
    limits: BatchLimits
    only: str | None  # a condition on top of the settings' `when`

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch. Blocks no longer than the timeout of the settings; raises nothing but what
        is a bug.
        """

    def idle(self) -> None:
        """Called about every second while nothing is sent: a look at the connection."""

    def reopen(self) -> None:
        """Files rotated, certificates or credentials renewed: let go of what is open; the next
        `send` opens anew.
        """

    def close(self) -> None:
        """Let go of everything. May be called more than once."""


# Scheme -> module. A module has `open_sink(settings) -> Sink` and `USES`, the settings that mean
# something to it.
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

# Settings that belong to the way to the sink, not to the sink.
_COMMON = frozenset(
    {"url", "url_env", "url_file", "name", "when", "format", "timestamp", "max_bytes", "rate", "batch", "batch_bytes",
     "linger", "queue", "when_full"}
)  # fmt: skip


def open_sink(settings: SinkSettings) -> Sink:
    """The sink for the settings, which are checked; nothing is sent or connected. Raises
    UsageError.
    """
    scheme = settings.address.scheme
    if scheme not in _MODULES:
        raise UsageError(
            f"{settings.title}: there is no sink {scheme!r}: one of {', '.join(SCHEMES)}"
        )
    module = importlib.import_module(f"jwtleak.sinks.{_MODULES[scheme]}")
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


# The time at which an alert stands in a receiver: that on the log line, or that of detection.


def moment(alert: Alert, timestamp: Literal["event", "detected"]) -> int:
    """Unix milliseconds. Where a log line has no time, that of detection."""
    return milliseconds(moment_text(alert, timestamp))


def moment_text(alert: Alert, timestamp: Literal["event", "detected"]) -> str:
    """The same as it stands in the alert: RFC 3339, UTC, three fraction digits."""
    return alert.logged_at if timestamp == "event" and alert.logged_at else alert.detected_at
