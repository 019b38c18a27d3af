"""Configuration files: TOML in, typed sections out.

Promises: an unknown table or key, a wrong type or an unreadable file is a `UsageError` that names
the file and the key. Refuses to know what a section means: its user defines the type.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import rtoml

from jwtleak.errors import UsageError, reason_of

Section = TypeVar("Section")


def read(path: Path, into: type[Section]) -> Section:
    """The document at `path` as `into`, a `msgspec.Struct` with `forbid_unknown_fields`."""
    try:
        # The error of rtoml names the line and never quotes it: a file may hold secrets.
        document = rtoml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {reason_of(error).lower()}") from None
    except (rtoml.TomlParsingError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML: {_lower(str(error))}") from None
    return convert(document, into, str(path))


def convert(document: dict[str, Any], into: type[Section], where: str) -> Section:
    """`document` as `into`; `where` names it in errors."""
    try:
        return msgspec.convert(document, into)
    except msgspec.ValidationError as error:
        # msgspec ends its sentence with the place: "... - at `$.sink[0].url`".
        text, _, place = str(error).partition(" - at `$.")
        raise UsageError(
            f"{where}: {place.rstrip('`') + ': ' if place else ''}{_lower(text)}"
        ) from None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
