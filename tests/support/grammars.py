"""Strict readers of CEF and LEEF, for tests: they take what the grammar allows and nothing else."""

from __future__ import annotations

import re

_HEADER_FIELD = re.compile(r"(?:[^\\|\r\n]|\\[\\|])*")
_KEY = re.compile(r"[A-Za-z0-9]+")
_VALUE_PART = re.compile(r"[^\\=\r\n]|\\[\\=nr]")


class RefusedError(ValueError):
    """Not of the grammar."""


def cef(text: str) -> tuple[list[str], dict[str, str]]:
    """The seven fields of the header, unescaped, and the extension's keys and values."""
    if not text.startswith("CEF:0|"):
        raise RefusedError("no CEF:0")
    head, place = ["0"], len("CEF:0|")
    for _ in range(6):
        found = _HEADER_FIELD.match(text, place)
        assert found is not None
        if text[found.end() : found.end() + 1] != "|":
            raise RefusedError(f"header field at {place}")
        head.append(re.sub(r"\\([\\|])", r"\1", found[0]))
        place = found.end() + 1
    return head, _extension(text[place:])


def _extension(text: str) -> dict[str, str]:
    """`key=value key=value`: a value goes on to the last blank before the next unescaped equals
    sign.
    """
    pairs: dict[str, str] = {}
    signs = _signs(text)
    if not signs:
        raise RefusedError("no pairs")
    begin = 0
    for number, sign in enumerate(signs):
        key = text[begin:sign]
        if not _KEY.fullmatch(key) or key in pairs:
            raise RefusedError(f"key {key!r}")
        if number + 1 < len(signs):
            blank = text.rfind(" ", sign, signs[number + 1])
            if blank < 0:
                raise RefusedError(f"no blank after {key}")
            value, begin = text[sign + 1 : blank], blank + 1
        else:
            value = text[sign + 1 :]
        if not value or value != value.strip():
            raise RefusedError(f"value of {key}")
        pairs[key] = re.sub(
            r"\\([\\=nr])", lambda one: {"n": "\n", "r": "\r"}.get(one[1], one[1]), value
        )
    return pairs


def _signs(text: str) -> list[int]:
    """Where the unescaped equals signs stand; every backslash must escape something."""
    found, place = [], 0
    while place < len(text):
        part = _VALUE_PART.match(text, place)
        if part is not None:
            place = part.end()
        elif text[place] == "=":
            found.append(place)
            place += 1
        else:
            raise RefusedError(f"sign at {place}")
    return found


def leef(text: str) -> tuple[list[str], dict[str, str]]:
    """The header's fields with the delimiter, and the attributes."""
    parts = text.split("|", 6)
    if len(parts) != 7 or parts[0] != "LEEF:2.0":
        raise RefusedError("header")
    if not all(parts[1:6]) or any(sign in part for part in parts[:6] for sign in "\t\r\n"):
        raise RefusedError("header field")
    delimiter = _delimiter(parts[5])
    pairs: dict[str, str] = {}
    for attribute in parts[6].split(delimiter):
        key, sign, value = attribute.partition("=")
        if not sign or not _KEY.fullmatch(key) or key in pairs or "\n" in value or "\r" in value:
            raise RefusedError(f"attribute {key!r}")
        pairs[key] = value
    return parts[:6], pairs


def _delimiter(text: str) -> str:
    if re.fullmatch(r"0?x[0-9A-Fa-f]{2,4}", text):
        return chr(int(text.lstrip("0").lstrip("x"), 16))
    if len(text) != 1:
        raise RefusedError("delimiter")
    return text
