"""Makes text safe to show: excerpts around a token, names, and everything else that an attacker may
have written.

Promises: a run of eight or more base64url characters survives only if it reads as words or a
number. Nothing that moves a cursor or hides text survives. The rule does not depend on what was
recognised, so it also masks a piece of another token close by, or one that the window cuts.
"""

from __future__ import annotations

from jwtleak.core.lazy_regex import lazy

# Enough to recognise the place: the request line or key before the token, a little behind it.
_BEFORE = 72
_AFTER = 32
MAX_TEXT = 256

_WORD = rb"(?:[A-Z]?[a-z]{1,14}|[A-Z]{1,14}|[0-9]{1,10})"
_WORDS = lazy(rb"[-_=~]*+" + _WORD + rb"(?:[-_=~]++" + _WORD + rb")*+[-_=~]*+")
# Escapes enough to spell most of eight characters. Possessive: linear on any input.
_MANY = 6
_ESCAPED = lazy(
    rb"(?:%[0-9A-Fa-f]{2}|\\\\?u00[0-9A-Fa-f]{2}|\\\\?x[0-9A-Fa-f]{2}"
    rb"|&#x?[0-9A-Fa-f]{2,4};|=[0-9A-F]{2}){6,}+"
)
_ESCAPES = (b"%", b"\\", b"&#", b"=")
_ESCAPE_SIGNS = b"%\\&="
# Maps everything that is not base64url to a blank: splitting there beats any expression.
_BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# `=` and `~` stay: seven characters and their padding, or the mark between disclosures, make eight
# characters of a token.
_BLANKS = bytes(byte if byte in _BASE64URL + b"=~" else 32 for byte in range(256))
_LONG = 8
# Runs that read as words. A log repeats a few hundred. Bounded in number, and each is no longer
# than an excerpt.
_HARMLESS: set[bytes] = set()
_MAX_HARMLESS = 4096
# Names look like `accessToken` or `Sec-WebSocket-Protocol`. Of eight characters of base64, one in
# hundreds does.
_NAME_PART = r"(?:[A-Za-z][a-z]{0,14}|[A-Z]{2,8}|[0-9]{1,6})"
_NAME = lazy(
    rf"(?:{_NAME_PART}[-_.]++)*+[A-Za-z]?[a-z]{{2,14}}(?:[A-Z][a-z]{{2,14}}|[A-Z]{{2,4}}){{0,3}}"
    rf"(?:[-_.]++{_NAME_PART})*+"
)
# Characters of an encoded token. At the edge of an excerpt, where a run may be cut, they all go.
_CUT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_%&;#\\=+/~-"
_CONTROLS = bytes.maketrans(bytes(range(32)) + b"\x7f", b" " * 33)
_UNSAFE = lazy(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """`text` without controls (C0, C1), bidirectional and invisible characters and lone surrogates.

    Cut at `limit` characters.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", text[:limit])


def mask(text: bytes) -> bytes:
    """`text` with every run masked that could be part of a token."""
    runs = [run for run in text.translate(_BLANKS).split() if len(run) >= _LONG]
    if not _HARMLESS.issuperset(runs):
        # Longest first: `replace` would otherwise cut a shorter run out of a longer one, and leave
        # the rest of it in the text.
        for run in sorted(runs, key=len, reverse=True):
            if not _is_words(run):
                # `access_token=eyJ...` is one run. Its key helps people, so it stays if it is
                # words.
                key, _, value = run.partition(b"=")
                kept = key + b"=" if value.strip(b"=") and _is_words(key) else b""
                text = text.replace(run, kept + b"[...]")
    # Escapes spell a token without a long run: `%65%79%4A`. Most texts have no six escape signs.
    if len(text) - len(text.translate(None, _ESCAPE_SIGNS)) < _MANY:
        return text
    return (
        _ESCAPED.sub(b"[...]", text)
        if any(text.count(sign) >= _MANY for sign in _ESCAPES)
        else text
    )


def mask_name(name: str) -> str:
    """The name of a parameter, header, cookie or field, masked. Camel case counts as words."""
    return (
        name
        if _NAME.fullmatch(name)
        else mask(name.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    )


def _is_words(run: bytes) -> bool:
    if _WORDS.fullmatch(run) is None:
        return False
    if len(_HARMLESS) >= _MAX_HARMLESS:
        _HARMLESS.clear()
    _HARMLESS.add(run)
    return True


def excerpt(before: bytes, label: str, after: bytes) -> str:
    """One line: the end of `before`, `label` for the token, the beginning of `after`.

    Both texts belong to the token's log line.
    """
    left = before[before.rfind(b"\n") + 1 :]
    if len(left) > _BEFORE:
        left = left[-_BEFORE:].lstrip(_CUT)
    right = after[:_AFTER].partition(b"\n")[0]
    if len(right) == _AFTER:
        right = right.rstrip(_CUT)
    # Masked as one text, since a run may go on behind the token. A newline marks the token: neither
    # side has one.
    text = mask(left + b"\n" + right)
    if text.isascii():
        left_text, _, right_text = text.decode("ascii").partition("\n")
        if left_text.isprintable() and right_text.isprintable():
            return left_text + label + right_text
    left, _, right = text.partition(b"\n")
    return _readable(left) + label + _readable(right).rstrip()


def _readable(text: bytes) -> str:
    return clean(text.translate(_CONTROLS).decode("utf-8", "replace"))
