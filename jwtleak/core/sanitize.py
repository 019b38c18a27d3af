"""Excerpts: a little of the text around a token, with nothing in it that could be a token.

Promises: no run of eight or more base64url characters survives unless it reads as words or a
number; nothing that moves a cursor or hides text survives. The rule does not depend on what was
recognised, so a piece of another token that stands close by, or that the window cuts, is masked
too.
"""

from __future__ import annotations

from jwtleak.core.lazy_regex import lazy

# What people need to recognise the place: the request line or key before the token, a little after
# it.
_BEFORE = 72
_AFTER = 32
MAX_TEXT = 256

_WORD = rb"(?:[A-Z]?[a-z]{1,14}|[A-Z]{1,14}|[0-9]{1,10})"
_WORDS = lazy(rb"[-_=~]*+" + _WORD + rb"(?:[-_=~]++" + _WORD + rb")*+[-_=~]*+")
# Escapes enough to spell most of eight characters. Possessive: linear on any input.
_MANY = 6
_ESCAPED = lazy(
    rb"(?:%[0-9A-Fa-f]{2}|\\\\?u00[0-9A-Fa-f]{2}|\\\\?x[0-9A-Fa-f]{2}|&#x?[0-9A-Fa-f]{2,4};|=[0-9A-F]{2}){6,}+"
)
_ESCAPES = (b"%", b"\\", b"&#", b"=")
_ESCAPE_SIGNS = b"%\\&="
# Turns everything that cannot be part of a base64url run into blanks; splitting there is faster
# than any expression.
_BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# `=` and `~` stay: seven characters with their padding, or the mark between disclosures, are eight
# of a token.
_BLANKS = bytes(byte if byte in _BASE64URL + b"=~" else 32 for byte in range(256))
_LONG = 8
# Runs seen to be words: logs repeat a few hundred. At most as many as this, each as short as the
# window.
_HARMLESS: set[bytes] = set()
_MAX_HARMLESS = 4096
# `accessToken`, `Sec-WebSocket-Protocol`: names are written so; eight characters of base64 look
# like it once in hundreds.
_NAME_PART = r"(?:[A-Za-z][a-z]{0,14}|[A-Z]{2,8}|[0-9]{1,6})"
_NAME = lazy(
    rf"(?:{_NAME_PART}[-_.]++)*+[A-Za-z]?[a-z]{{2,14}}(?:[A-Z][a-z]{{2,14}}|[A-Z]{{2,4}}){{0,3}}(?:[-_.]++{_NAME_PART})*+"
)
# What an encoded token may consist of: at the edge of a window, where a run may be cut, all of it
# goes.
_CUT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_%&;#\\=+/~-"
_CONTROLS = bytes.maketrans(bytes(range(32)) + b"\x7f", b" " * 33)
_UNSAFE = lazy(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """`text` without C0 and C1 controls, bidirectional and invisible characters and lone
    surrogates, cut at `limit`.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", text[:limit])


def mask(text: bytes) -> bytes:
    """`text` with every run masked that could be part of a token."""
    runs = [run for run in text.translate(_BLANKS).split() if len(run) >= _LONG]
    if not _HARMLESS.issuperset(runs):
        # The longest first: a shorter one may stand inside it, and must not be cut out of it alone.
        for run in sorted(runs, key=len, reverse=True):
            if not _is_words(run):
                key, _, value = run.partition(b"=")
                kept = key + b"=" if value.strip(b"=") and _is_words(key) else b""
                text = text.replace(run, kept + b"[...]")
    if len(text) - len(text.translate(None, _ESCAPE_SIGNS)) < _MANY:
        return text
    return (
        _ESCAPED.sub(b"[...]", text)
        if any(text.count(sign) >= _MANY for sign in _ESCAPES)
        else text
    )


def mask_name(name: str) -> str:
    """The name of a parameter, header, cookie or field; masked like a text, but camel case is words
    too.
    """
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
    """One line: the end of `before`, `label` in place of the token, the beginning of `after`; both
    of the same log line.
    """
    left = before[before.rfind(b"\n") + 1 :]
    if len(left) > _BEFORE:
        left = left[-_BEFORE:].lstrip(_CUT)
    right = after[:_AFTER].partition(b"\n")[0]
    if len(right) == _AFTER:
        right = right.rstrip(_CUT)
    # A newline stands for the token, since neither side has one.
    text = mask(left + b"\n" + right)
    if text.isascii():
        left_text, _, right_text = text.decode("ascii").partition("\n")
        if left_text.isprintable() and right_text.isprintable():
            return left_text + label + right_text
    left, _, right = text.partition(b"\n")
    return _readable(left) + label + _readable(right).rstrip()


def _readable(text: bytes) -> str:
    return clean(text.translate(_CONTROLS).decode("utf-8", "replace"))
