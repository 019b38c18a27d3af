"""Syslog: `syslog+tls://host` (RFC 5425), `syslog+tcp://host`, `syslog+udp://host`,
`syslog+unix:/dev/log`.

Promises: over TCP and TLS only octet counting (RFC 6587), since with the other framing a line break
in a message begins another; a message over the receiver's limit is refused here, never cut, since
receivers parse the rest as a second event or drop the next one. Messages are RFC 5424, or RFC 3164
for receivers that know nothing else; their fields keep the limits of the RFC (HOSTNAME 255,
APP-NAME 48, PROCID 128, MSGID 32 printable ASCII characters); values of structured data are
escaped; there is no byte order mark, which receivers keep and then fail to parse JSON.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.formats.levels import LEVELS
from jwtleak.sinks import tls
from jwtleak.sinks.interface import BatchLimits, Message, Outcome, Report, moment_text
from jwtleak.sinks.settings import SinkSettings
from jwtleak.sinks.tcp import TcpConnection
from jwtleak.sinks.udp import Datagram

# 32473 is the enterprise number that IANA keeps for documentation. Organisations with their own
# number set `sd_id`.
SD_ID = "jwtleak@32473"
APP_NAME = "jwtleak"
# Log audit. Some receivers route it apart from the noise of local0.
FACILITY = 13

_NOT_PRINTABLE = re.compile(r"[^!-~]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Style(msgspec.Struct, frozen=True):
    """The parts of a message's head that do not depend on the alert."""

    rfc: int = 5424
    facility: int = FACILITY
    sd_id: str = SD_ID
    app_name: str = APP_NAME
    procid: str = "-"
    slim: bool = False  # only the id as structured data: for datagrams


def line(alert: Alert, body: bytes, time: str, style: Style) -> bytes:
    """One message. `time` is RFC 3339 as in alerts; `body` is ASCII without line breaks."""
    priority = style.facility * 8 + LEVELS[alert.severity].syslog
    host = _name(alert.location.host or "", 255)
    if style.rfc == 3164:
        return f"<{priority}>{_old_time(time)} {host} {style.app_name}: ".encode() + body
    message = _name(f"jwt.{alert.channel.type}", 32)
    head = f"<{priority}>1 {time} {host} {style.app_name} {style.procid} {message}"
    return f"{head} {_data(alert, style)} ".encode() + body


def _name(text: str, longest: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:longest] or "-"


def _data(alert: Alert, style: Style) -> str:
    values: dict[str, object] = {"id": alert.id}
    if not style.slim:
        status = alert.token.status
        values |= {
            "event": alert.event,
            "severity": alert.severity,
            "fp": f"sha256:{alert.token.sha256}",
            "channel": alert.channel.type,
            "status": "" if status is UNSET else status,
            "file": alert.location.path or "",
            "line": alert.location.line,
            "offset": alert.location.offset,
        }
    pairs = "".join(
        f' {name}="{_escaped(str(value))}"' for name, value in values.items() if value != ""
    )
    return f"[{style.sd_id}{pairs}]"


def _escaped(text: str) -> str:
    """RFC 5424 section 6.3.3. Characters outside ASCII are replaced, so that no message needs a
    byte order mark.
    """
    plain = text.encode("ascii", "replace").decode("ascii")
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _old_time(time: str) -> str:
    """RFC 3164 section 4.1.2: no year, no zone, the day padded with a blank. Receivers assume their
    local time; only in UTC it means the same in winter and in summer.
    """
    when = datetime.fromisoformat(time)
    return f"{_MONTHS[when.month - 1]} {when.day:2d} {time[11:19]}"


USES = tls.USES | {"rfc", "facility", "sd_id", "app_name", "resend", "timeout"}

# Bytes. rsyslog's maxMessageSize, the smallest default among the receivers; over UDP a size that
# every network and receiver passes (RFC 3164 section 4.1; RFC 5424 section 6.1 recommends 2,048).
MAX_STREAM = 8192
MAX_DATAGRAM = 1024
# Bytes before the body: fixed parts, id and fingerprint need 330; the rest is for hosts and paths.
_HEAD = 1024
_SLIM_HEAD = 200
_OLD_HEAD = 120

_PORTS = {"syslog+tls": 6514, "syslog+tcp": 601, "syslog+udp": 514, "syslog+unix": 0}


class SyslogSink:
    """One receiver."""

    ascii = True
    only = None

    def __init__(self, settings: SinkSettings) -> None:
        address = settings.address
        datagrams = address.scheme in ("syslog+udp", "syslog+unix")
        rfc = settings.get("rfc", 5424)
        # ECS does not fit into 1,024 bytes, and a receiver of RFC 3164 is often a CEF collector.
        self.format = "cef" if rfc == 3164 or address.scheme == "syslog+udp" else "ecs"
        self.limits = BatchLimits(200, 1 << 20) if datagrams else BatchLimits(1000, 1 << 20)
        most = MAX_DATAGRAM if address.scheme == "syslog+udp" else MAX_STREAM
        self._most: int = settings.get("max_bytes", most)
        # The head comes out of the same limit; of a small one the body keeps at least half.
        head = _OLD_HEAD if rfc == 3164 else _SLIM_HEAD if datagrams else _HEAD
        self.max_bytes: int | None = max(self._most - head, self._most // 2)
        self._timestamp = settings.get("timestamp", "detected")
        self._style = Style(
            rfc,
            settings.get("facility", FACILITY),
            settings.get("sd_id", SD_ID),
            settings.get("app_name", APP_NAME),
            str(os.getpid()),
            datagrams,
        )
        self.guarantee = _guarantee(datagrams, settings.get("resend", True))
        self._datagrams, self._stream = _transport(settings, datagrams)

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch."""
        lines = [
            line(
                message.alert,
                message.body,
                moment_text(message.alert, self._timestamp),
                self._style,
            )
            for message in messages
        ]
        # The encoder kept the body below `max_bytes`, but a long host or path makes the head longer
        # than was reserved for it.
        fit = [text for text in lines if len(text) <= self._most]
        if self._datagrams is not None:
            report = self._datagrams.send([(text,) for text in fit])
        else:
            assert self._stream is not None
            report = self._stream.send([b"%d %b" % (len(text), text) for text in fit])
        return report if len(fit) == len(lines) else self._with_refused(lines, report)

    def _with_refused(self, lines: Sequence[bytes], report: Report) -> Report:
        """`report`, which is about the lines that fit, with the others inserted as refused."""
        rest = iter(report.outcomes)
        outcomes = [
            next(rest)
            if len(text) <= self._most
            else Outcome("refused", f"{len(text)} bytes: larger than max_bytes ({self._most})")
            for text in lines
        ]
        return Report(
            tuple(outcomes), report.problem, report.reason, report.status, report.retry_after
        )

    def idle(self) -> None:
        """Check the connection, and send again what it may have lost."""
        if self._stream is not None:
            self._stream.idle()
            if self._stream.owes():
                self._stream.send([])

    def reopen(self) -> None:
        """Certificates may have been renewed."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._stream is not None:
            self._stream.close()


def _guarantee(datagrams: bool, resend: bool) -> str:
    if datagrams:
        return "at most once: datagrams are sent, nothing is known of what arrives"
    if resend:
        return (
            "no acknowledgement in the protocol: "
            "what was sent in the 30 s before a lost connection is sent again"
        )
    return "at most once over a lost connection: the protocol has no acknowledgement"


def _transport(
    settings: SinkSettings, datagrams: bool
) -> tuple[Datagram | None, TcpConnection | None]:
    address = settings.address
    port = address.port or _PORTS[address.scheme]
    if datagrams:
        path = address.path if address.scheme == "syslog+unix" else None
        return Datagram(address.host, port, path=path), None
    return None, TcpConnection(settings, port, resend=settings.get("resend", True))


def open_sink(settings: SinkSettings) -> SyslogSink:
    """The sink `syslog+...`."""
    address = settings.address
    used = settings.configured() & tls.USES
    if used and address.scheme != "syslog+tls":
        raise UsageError(f"{settings.title}: only syslog+tls has {', '.join(sorted(used))}")
    if address.path and address.scheme != "syslog+unix":
        raise UsageError(f"{settings.title}: a syslog receiver has no path")
    return SyslogSink(settings)
