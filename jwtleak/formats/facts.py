"""An alert as flat facts: what is known, under dotted names, fit to be written anywhere.

Promises: every field of the alert that is set is here under its own path; strings are cleaned once
more, so that a format need only escape what its own grammar gives a meaning; what is dropped to
make an event smaller is dropped here, in one order for all formats.
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

# What an event over its size loses, first to last: words that its rule has in the documentation
# too, then what only helps to recognise the token, at last what is long because an attacker made it
# so. A name that ends in a dot means all below it.
DROP = (
    "advice", "references", "attack", "token.scopes", "excerpt", "token.audience", "channel.encodings",
    "token.weaknesses", "reasons", "token.typ", "token.enc", "token.redacted", "location.container.", "token.issuer",
    "token.kid", "channel.name", "location.member", "token.provider", "token.use", "host_again", "token.subject_hash",
    "first_seen", "last_seen", "location.path",
)  # fmt: skip

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
    """What is known, by path: `token.kid`, `location.container.pod`. Absent means unknown.

    Beside the alert's own fields: `time` (where the event stands), `started` (what it is about
    began), `action` (the event, or `suppressed`), `rule.id`, `rule.name`, and `attack` where
    techniques of MITRE ATT&CK belong.
    """
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
    logged = found.get("logged_at", found.get("last_seen"))
    found["started"] = found.get("first_seen", logged or found["detected_at"])
    found["time"] = logged if logged and options.timestamp == "event" else found["detected_at"]
    if "location.host" not in found and options.host:
        found["location.host"] = clean(options.host)
    if "location.host" in found:
        found["host_again"] = found["location.host"]  # for those lists that only repeat it
    return found


def own(alert: Alert) -> Facts:
    """The alert's own fields that are set, cleaned."""
    found: Facts = {}
    _flatten(msgspec.to_builtins(alert), "", found)
    return found


def _flatten(value: dict[str, Any], prefix: str, into: Facts) -> None:
    for name, one in value.items():
        kind = type(
            one
            # what to_builtins gives has these types exactly; this runs for every field of every event
        )
        if kind is str:
            into[prefix + name] = (
                one if one.isascii() and one.isprintable() and len(one) <= MAX_TEXT else clean(one)
            )
        elif kind is dict:
            _flatten(one, f"{prefix}{name}.", into)
        elif kind is list or kind is tuple:
            if one:
                into[prefix + name] = [clean(item) for item in one]
        else:
            into[prefix + name] = one


def _rule(alert: Alert) -> tuple[str, str]:
    name = EVENT_KINDS[alert.event].rule_name
    if name is not None:
        return f"jwtleak.{alert.event}", name
    if isinstance(alert.pattern, str):
        return f"pattern.{clean(alert.pattern)}", clean(alert.title)
    return rule(alert.channel.type)


def rule(channel: ChannelType) -> tuple[str, str]:
    """Id and name of the rule that a leak in `channel` breaks."""
    return f"jwt.{channel}", f"JWT {place(channel)}"


def fitted(found: Facts, max_bytes: int | None, write: Callable[[Facts], bytes]) -> bytes:
    """What `write` makes of the facts, with as few of them dropped as `max_bytes` allows. Drops
    from `found` itself.
    """
    data = write(found)
    if max_bytes is None or len(data) <= max_bytes:
        return data
    for name in DROP:
        if drop(found, name):
            data = write(found)
            if len(data) <= max_bytes:
                break
    return data


def drop(found: Facts, name: str) -> bool:
    """Leave out one of DROP and say that something is missing; False where it was not there."""
    names = (
        [one for one in found if one.startswith(name)]
        if name.endswith(".")
        else [name]
        if name in found
        else []
    )
    for one in names:
        del found[one]
    if names:
        found["truncated"] = True
    return bool(names)
