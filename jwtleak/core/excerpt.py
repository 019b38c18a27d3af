"""Excerpts: a little of the text around a token, with nothing in it that could be a token.

Promises: no run of eight or more base64url characters survives unless it reads as words or a number; nothing that moves a
cursor or hides text survives. The rule does not depend on what was recognised, so a piece of another token that stands
close by, or that the window cuts, is masked too.
"""

from __future__ import annotations

import re

# What people need to recognise the place: the request line or key before the token, a little after it.
_BEFORE = 96
_AFTER = 48
MAX_TEXT = 256

_WORD = rb"(?:[A-Z]?[a-z]{1,14}|[A-Z]{1,14}|[0-9]{1,10})"
# A run that is not made of words, or escapes enough to spell eight characters. Possessive: linear on any input.
_SECRET = re.compile(
    rb"(?<![\w-])(?!" + _WORD + rb"(?:[-_]++" + _WORD + rb")*+(?![\w-]))[\w-]{8,}+"
    rb"|(?:%[0-9A-Fa-f]{2}|\\\\?u00[0-9A-Fa-f]{2}|\\\\?x[0-9A-Fa-f]{2}|&#x?[0-9A-Fa-f]{2,4};|=[0-9A-F]{2}){6,}+"
)
_CUT_LEFT = re.compile(rb"\A[\w%&;#\\=+/-]++")
_CUT_RIGHT = re.compile(rb"[\w%&;#\\=+/-]++\Z")
_CONTROLS = bytes.maketrans(bytes(range(32)) + b"\x7f", b" " * 33)
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """`text` without C0 and C1 controls, bidirectional and invisible characters and lone surrogates, cut at `limit`."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", text[:limit])


def mask(text: bytes) -> bytes:
    """`text` with every run masked that could be part of a token."""
    return _SECRET.sub(b"[...]", text)


def excerpt(before: bytes, label: str, after: bytes) -> str:
    """One line: the end of `before`, `label` in place of the token, the beginning of `after`; both of the same log line."""
    left = before[before.rfind(b"\n") + 1 :][-_BEFORE:]
    if len(left) == _BEFORE:
        left = _CUT_LEFT.sub(b"", left)
    right = after[:_AFTER].partition(b"\n")[0]
    if len(right) == _AFTER:
        right = _CUT_RIGHT.sub(b"", right)
    return _readable(mask(left)) + label + _readable(mask(right)).rstrip()


def _readable(text: bytes) -> str:
    if text.isascii():
        return text.translate(_CONTROLS).decode("ascii")
    return clean(text.decode("utf-8", "replace"))
