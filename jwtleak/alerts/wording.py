"""The words of an alert: titles, advice, references.

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

# RFC 6750 section 5.3 asks not to pass bearer tokens in page URLs; CWE-532 and CWE-598 name the weakness.
_REFERENCES: dict[ChannelType, tuple[str, ...]] = {
    "url_query": ("CWE-598", "CWE-532", "RFC 6750 section 5.3"),
    "url_fragment": ("CWE-598", "CWE-532"),
    "url_path": ("CWE-598", "CWE-532"),
    "referer": ("CWE-598", "CWE-532"),
    "error_message": ("CWE-209", "CWE-532"),
    "storage": ("CWE-922", "CWE-532"),
}
_STOP: dict[ChannelType, str] = {
    "url_query": "send the token in the Authorization header instead of the URL, and drop the query string from this log",
    "url_fragment": "use the authorization code flow so that no token stands in a URL fragment",
    "url_path": "send the token in the Authorization header instead of the path",
    "referer": "set Referrer-Policy: no-referrer and take the token out of page URLs",
    "authorization_header": "mask the Authorization header in this log",
    "cookie": "mask Cookie and Set-Cookie in this log",
    "header": "mask this header in this log",
    "json_field": "mask this field before bodies are logged",
    "form_field": "mask this field before bodies are logged",
    "error_message": "keep the token out of error messages",
    "storage": "keep tokens out of browser storage and of its dumps",
    "unknown": "find what writes the token into this log and mask it there",
}
_REVOKE = "revoke the token or the session behind it at its issuer"
_ROTATE = "a token that never expires ends only with its signing key or a deny list: rotate or deny it, and issue short-lived ones"
_WAS_LIVE = "the token worked when it was logged: look for its use by others until it expired"
_UNSIGNED = "make every verifier refuse alg none and pin the algorithms it accepts (RFC 8725 section 3.1)"


def title(status: Status, kind: Kind, channel: ChannelType) -> str:
    """A short sentence that groups alerts: the same for all leaks of one sort."""
    return f"{_STATUS[status]} {_KIND[kind]} {_CHANNEL[channel]}"


def place(channel: ChannelType) -> str:
    """`in a URL query parameter`."""
    return _CHANNEL[channel]


def advice(status: Status, kind: Kind, channel: ChannelType, live_when_logged: bool | None) -> tuple[str, ...]:
    """What to do, the most urgent first."""
    steps: list[str] = []
    if status in ("live", "not_yet_valid", "bad_expiry", "encrypted"):
        steps.append(_REVOKE)
    elif status == "no_expiry":
        steps.append(_ROTATE)
    elif status == "expired" and live_when_logged:
        steps.append(_WAS_LIVE)
    if kind == "unsecured":
        steps.append(_UNSIGNED)
    steps.append(_STOP[channel])
    return tuple(steps)


def references(channel: ChannelType) -> tuple[str, ...]:
    """The weaknesses that the place of the leak is an instance of."""
    return _REFERENCES.get(channel, ("CWE-532",))
