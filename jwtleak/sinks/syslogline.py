"""Syslog messages: RFC 5424, and RFC 3164 for receivers that know nothing else. Pure.

Promises: within the limits of the RFC (HOSTNAME 255, APP-NAME 48, PROCID 128, MSGID 32 printable ASCII characters); values of
structured data escaped; no byte order mark, since receivers keep it and then fail to parse JSON.
"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec
from msgspec import UNSET

from jwtleak.alerts.alert import Alert
from jwtleak.formats.levels import LEVELS

# 32473 is the enterprise number that IANA keeps for documentation: those who have their own set `sd_id`.
SD_ID = "jwtleak@32473"
APP_NAME = "jwtleak"
# Log audit. Some receivers route it apart from the noise of local0.
FACILITY = 13

_NOT_PRINTABLE = re.compile(r"[^!-~]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Style(msgspec.Struct, frozen=True):
    """How messages begin."""

    rfc: int = 5424
    facility: int = FACILITY
    sd_id: str = SD_ID
    app_name: str = APP_NAME
    procid: str = "-"
    slim: bool = False  # the id alone as structured data: for datagrams


def line(alert: Alert, body: bytes, time: str, style: Style) -> bytes:
    """One message. `time` is RFC 3339 as in alerts; `body` is ASCII without line breaks."""
    priority = style.facility * 8 + LEVELS[alert.severity].syslog
    host = _name(alert.location.host or "", 255)
    if style.rfc == 3164:
        return f"<{priority}>{_old_time(time)} {host} {style.app_name}: ".encode() + body
    message = _name(f"jwt.{alert.channel.type}", 32)
    head = f"<{priority}>1 {time} {host} {style.app_name} {style.procid} {message} {_data(alert, style)} "
    return head.encode() + body


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
    pairs = "".join(f' {name}="{_escaped(str(value))}"' for name, value in values.items() if value != "")
    return f"[{style.sd_id}{pairs}]"


def _escaped(text: str) -> str:
    """RFC 5424 section 6.3.3; what is not ASCII is replaced, so that no message needs a byte order mark."""
    plain = text.encode("ascii", "replace").decode("ascii")
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _old_time(time: str) -> str:
    """RFC 3164 section 4.1.2: no year, no zone, the day padded with a blank. Receivers take it as their local time; UTC
    is the only zone in which it means the same in winter and summer."""
    when = datetime.fromisoformat(time)
    return f"{_MONTHS[when.month - 1]} {when.day:2d} {time[11:19]}"
