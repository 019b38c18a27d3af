"""An alert as flat facts: values under dotted names, safe to write anywhere.

Promises: every field of the alert that is set is a fact under its own path. Strings are cleaned
once more, so a format escapes only the characters of its own grammar. An event that is too large
loses facts here, in one order for all formats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from jwtleak.alerts.alert import Alert
from jwtleak.assess.verdict import place
from jwtleak.core.sanitize import MAX_TEXT, clean
from jwtleak.formats.events import EVENT_KINDS
from jwtleak.formats.interface import FormatOptions
from jwtleak.types import ChannelType

Facts: TypeAlias = dict[str, Any]

# The facts that an event over its size loses, first to last: texts that the documentation has too,
# then facts that only help to recognise the token, last values that are long because an attacker
# made them so. A name that ends in a dot means all facts below it.
DROP = (
    "advice",
    "references",
    "attack",
    "token.scopes",
    "excerpt",
    "token.audience",
    "channel.encodings",
    "token.weaknesses",
    "reasons",
    "token.typ",
    "token.enc",
    "token.redacted",
    "location.container.",
    "token.issuer",
    "token.kid",
    "channel.name",
    "location.member",
    "token.provider",
    "token.use",
    "host_again",
    "token.subject_hash",
    "first_seen",
    "last_seen",
    "location.path",
)

# Fields that an alert about no token holds for form's sake alone.
_TOKEN_ONLY = (
    "token.",
    "channel.",
    "sightings.",
    "location.offset",
    "location.length",
    "location.line",
    "location.column",
)


def facts(alert: Alert, options: FormatOptions) -> Facts:
    """The facts by path: `token.kid`, `location.container.pod`. An absent fact is unknown.

    Beside the alert's own fields: `time` (of the event on the receiver's timeline), `started` (when
    its subject began), `action` (the kind of event, or `suppressed`), `rule.id`, `rule.name`, and
    `attack` where techniques of MITRE ATT&CK belong.
    """
    # Order: the rule before the drop, since it reads the alert; the action after it, as it reads
    # the fact `suppressed`.
    found = own(alert)
    found["rule.id"], found["rule.name"] = _rule(alert)
    if not EVENT_KINDS[alert.event].about_token:
        for name in [name for name in found if name.startswith(_TOKEN_ONLY)]:
            del found[name]
    else:
        found["attack"] = True
    found["action"] = (
        "suppressed" if alert.event == "leak" and "suppressed" in found else alert.event
    )
    # A repeat has no line of its own: the newest sighting dates it.
    logged = found.get("logged_at", found.get("last_seen"))
    found["started"] = found.get("first_seen", logged or found["detected_at"])
    found["time"] = logged if logged and options.timestamp == "event" else found["detected_at"]
    if "location.host" not in found and options.host:
        found["location.host"] = clean(options.host)
    if "location.host" in found:
        # For lists that only repeat the host: DROP removes them and keeps the host itself.
        found["host_again"] = found["location.host"]
    return found


def own(alert: Alert) -> Facts:
    """The fields of the alert that are set, cleaned."""
    found: Facts = {}
    _flatten(msgspec.to_builtins(alert), "", found)
    return found


def _flatten(value: dict[str, Any], prefix: str, into: Facts) -> None:
    for name, field in value.items():
        # `to_builtins` returns exactly these types, and comparing types is faster than
        # `isinstance`: this runs for every field of every event.
        kind = type(field)
        if kind is str:
            # Nearly every string is printable ASCII, which `clean` leaves unchanged.
            plain = field.isascii() and field.isprintable() and len(field) <= MAX_TEXT
            into[prefix + name] = field if plain else clean(field)
        elif kind is dict:
            _flatten(field, f"{prefix}{name}.", into)
        elif kind is list or kind is tuple:
            if field:
                into[prefix + name] = [clean(item) for item in field]
        else:
            into[prefix + name] = field


def _rule(alert: Alert) -> tuple[str, str]:
    name = EVENT_KINDS[alert.event].rule_name
    if name is not None:
        return f"jwtleak.{alert.event}", name
    # A user pattern is a rule of its own; its title is from the user's file, so it is cleaned.
    if isinstance(alert.pattern, str):
        return f"pattern.{clean(alert.pattern)}", clean(alert.title)
    return rule(alert.channel.type)


def rule(channel: ChannelType) -> tuple[str, str]:
    """Id and name of the rule that a leak in `channel` breaks."""
    return f"jwt.{channel}", f"JWT {place(channel)}"


def fitted(found: Facts, max_bytes: int | None, write: Callable[[Facts], bytes]) -> bytes:
    """The bytes of `write(found)`, with as few facts dropped as `max_bytes` allows. Drops from
    `found` itself. The result is longer than `max_bytes` where even the smallest form is.
    """
    data = write(found)
    if max_bytes is None or len(data) <= max_bytes:
        return data
    # Write again after each drop: only the format knows how many bytes a fact takes.
    for name in DROP:
        if drop(found, name):
            data = write(found)
            if len(data) <= max_bytes:
                break
    return data


def drop(found: Facts, name: str) -> bool:
    """Drop the facts of one name of DROP and set `truncated`; False where there are none."""
    # Lists, since the dictionary changes below.
    if name.endswith("."):
        names = [fact for fact in found if fact.startswith(name)]
    else:
        names = [name] if name in found else []
    for fact in names:
        del found[fact]
    if names:
        found["truncated"] = True
    return bool(names)
