"""What to do about a leak, and what to read: for the issuer, the channel, and the server that wrote
the log.

Promises: pure. Facts choose among texts of the pattern files and of this module; no text from the
input is part of the advice. The most urgent step comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from jwtleak.assess.conditions import fits
from jwtleak.assess.weaknesses import meaning_of
from jwtleak.types import ChannelType, Kind, Status


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, eq=False):
    """One entry of `patterns/servers.toml`: how to keep a token out of the log of this server.
    Compared by identity, so that a cache key with a server hashes in no time.
    """

    id: str
    paths: tuple[str, ...]
    url: str
    referer: str
    header: str
    reference: str
    examples: tuple[str, ...]
    negative_examples: tuple[str, ...]


def server_of(servers: Sequence[Server], path: str | None) -> Server | None:
    """The first server whose logs have a path like `path`; None without one."""
    if path is None:
        return None
    # The globs are written in lower case and with slashes; logs of IIS come with neither.
    lower = path.lower().replace("\\", "/")
    return next((server for server in servers if fits(server.paths, (lower,))), None)


# RFC 6750 section 5.3 asks not to pass bearer tokens in page URLs; CWE-532 and CWE-598 name the
# weakness.
_REFERENCES: dict[ChannelType, tuple[str, ...]] = {
    "url_query": ("CWE-598", "CWE-532", "RFC 6750 section 5.3"),
    "url_fragment": ("CWE-598", "CWE-532"),
    "url_path": ("CWE-598", "CWE-532"),
    "referer": ("CWE-598", "CWE-532"),
    "error_message": ("CWE-209", "CWE-532"),
    "storage": ("CWE-922", "CWE-532"),
}
_STOP: dict[ChannelType, str] = {
    "url_query": "send the token in the Authorization header instead of the URL, and drop the query"
    " string from this log",
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
# The instruction of a server for a channel. Bodies and error messages have none: the application
# logs them, not the server.
_BY_SERVER: dict[ChannelType, str] = {
    "url_query": "url",
    "url_fragment": "url",
    "url_path": "url",
    "referer": "referer",
    "authorization_header": "header",
    "cookie": "header",
    "header": "header",
}

_REVOKE = "revoke the token or the session behind it at its issuer"
_ROTATE = (
    "a token that never expires ends only with its signing key or a deny list: rotate or deny it,"
    " and issue short-lived ones"
)
_WAS_LIVE = "the token worked when it was logged: look for its use by others until it expired"
_UNSIGNED = (
    "make every verifier refuse alg none and pin the algorithms it accepts (RFC 8725 section 3.1)"
)
_EXAMPLE = (
    "nothing to revoke: documentation prints this token; where a system accepts it, change that"
    " system's key"
)
_FORGEABLE = (
    "replace the signing key at once: anyone can sign a token that this system accepts; use 256"
    " random bits or more (RFC 8725 section 3.5), then treat every session since the key came into"
    " use as suspect"
)
_PUBLIC = "nothing to revoke: this token is made to be public; check what its role may do"
_INVALID = "the keys of its issuer did not make this signature: look for attempts to forge tokens"
_PERSONAL = (
    "take personal data out of the claims, or encrypt the token (JWE): who reads the log reads them"
)
_SECRET = "change the secret that the claims hold: who reads the log has it"
_HTTPS = "serve this over https only, with HSTS: the URL went over the network in clear text"

# MITRE ATT&CK: what an attacker does with such a token. Cookies and sessions are T1539, keys left
# in files T1552, and the tokens of OAuth T1528.
_SESSIONS = frozenset({"session"})
_CREDENTIALS = frozenset(
    {
        "api_key",
        "service_account_legacy",
        "service_role",
        "anon",
        "robot",
        "client_assertion",
        "wrapping",
    }
)


class AdviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that advice depends on. `clear_text`: the token was in a URL of plain http. `reference`:
    the issuer's page on revocation.
    """

    status: Status
    kind: Kind
    channel: ChannelType
    live_when_logged: bool | None
    example: bool = False
    signature: str | None = None
    public: bool = False
    use: str | None = None
    revoke: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()
    server: Server | None = None
    clear_text: bool = False
    reference: str | None = None


def steps(of: AdviceFacts) -> tuple[str, ...]:
    """What to do, the most urgent first."""
    # The token before its place: a token that works can be used now, the log can be mended later.
    return tuple(dict.fromkeys([*_about_the_token(of), *_about_the_place(of)]))


def _about_the_token(of: AdviceFacts) -> list[str]:
    if of.example:
        # Nobody's token: steps for its issuer would send people to a vendor for nothing.
        return [_EXAMPLE]
    found: list[str] = []
    if of.signature in ("published_key", "weak_key"):
        found.append(_FORGEABLE)
    if of.public:
        found.append(_PUBLIC)
    elif of.signature == "invalid":
        # Forged, or of another environment: the issuer cannot revoke what it never issued.
        found.append(_INVALID)
    elif of.status in ("live", "not_yet_valid", "bad_expiry", "encrypted", "no_expiry"):
        # Without an expiry there may be no session behind the token; _ROTATE says what ends it.
        found += of.revoke or ((_REVOKE,) if of.status != "no_expiry" else ())
        if of.status == "no_expiry":
            found.append(_ROTATE)
    elif of.status == "expired" and of.live_when_logged:
        found.append(_WAS_LIVE)
    if of.kind == "unsecured":
        found.append(_UNSIGNED)
    # Expiry does not undo these two: whoever reads the log reads the claims.
    sorts = {name.partition(":")[0] for name in of.weaknesses}
    return found + [_SECRET] * ("secret_claim" in sorts) + [_PERSONAL] * ("personal_data" in sorts)


def _about_the_place(of: AdviceFacts) -> list[str]:
    found = [_HTTPS] if of.clear_text else []
    found.append(_STOP[of.channel])
    instruction = _BY_SERVER.get(of.channel)
    if of.server is not None and instruction is not None:
        found.append(f"{getattr(of.server, instruction)} ({of.server.reference})")
    return found


def references(of: AdviceFacts) -> tuple[str, ...]:
    """What to read: the weaknesses of the channel, those of the token, what attackers do with it,
    and the issuer's page on revocation.
    """
    found = list(_REFERENCES.get(of.channel, ("CWE-532",)))
    if of.clear_text:
        found.append("CWE-319")
    for name in of.weaknesses:
        found += meaning_of(name).references
    if not of.example and not of.public:
        # Nobody attacks with a token that everybody has.
        found += ("OWASP API2:2023", _technique(of))
    if of.reference is not None and not of.example:
        found.append(of.reference)
    return tuple(dict.fromkeys(found))


def _technique(of: AdviceFacts) -> str:
    if of.channel == "cookie" or of.use in _SESSIONS:
        return "ATT&CK T1539"
    return "ATT&CK T1552" if of.use in _CREDENTIALS else "ATT&CK T1528"
