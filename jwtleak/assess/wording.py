"""The titles of alerts.

Promises: static text chosen by status, kind and channel; nothing that was read gets into it.
"""

from __future__ import annotations

from jwtleak.types import ChannelType, Kind, Status

_CHANNEL: dict[ChannelType, str] = {
    "url_query": "in a URL query parameter",
    "url_fragment": "in a URL fragment",
    "url_path": "in a URL path",
    "referer": "in a Referer header",
    "authorization_header": "in an Authorization header",
    "cookie": "in a cookie",
    "json_field": "in a JSON field",
    "form_field": "in a form field",
    "error_message": "in an error message",
    "storage": "in a dump of browser storage",
    "header": "in an HTTP header",
    "unknown": "in text",
}
_STATUS: dict[Status, str] = {
    "live": "Live",
    "expired": "Expired",
    "not_yet_valid": "Not yet valid",
    "no_expiry": "Never expiring",
    "bad_expiry": "Unreadably expiring",
    "encrypted": "Encrypted",
    "incomplete": "Incomplete",
}
_KIND: dict[Kind, str] = {
    "jws": "JWT",
    "unsecured": "unsigned JWT",
    "detached": "detached JWS",
    "jwe": "JWE",
    "sd-jwt": "SD-JWT",
}


def title(
    status: Status, kind: Kind, channel: ChannelType, *, example: bool = False, public: bool = False, forgeable: bool = False
) -> str:
    """A short sentence that groups alerts: the same for all leaks of one sort. `forgeable`: anyone has the signing key."""
    first = "Example" if example else "Forgeable" if forgeable else "Public" if public else _STATUS[status]
    return f"{first} {_KIND[kind]} {_CHANNEL[channel]}"


def place(channel: ChannelType) -> str:
    """`in a URL query parameter`."""
    return _CHANNEL[channel]
