"""Loads pattern files into typed values, and what the checks of pattern files share.

Promises: errors name the file, the entry and the key. An unknown key is an error, so a misspelt one
is noticed. Refuses code: pattern files are TOML, and only their regular expressions run.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import rtoml

from jwtleak.core.channel import ChannelRule
from jwtleak.core.custom_patterns import UserPattern, UserPatterns
from jwtleak.errors import PatternError
from jwtleak.types import Kind

_PACKAGE: Final = Path(__file__).resolve().parents[1]
# A wheel has them as package data; a checkout has them beside the package.
_PLACES: Final = (_PACKAGE / "_patterns", _PACKAGE.parent / "patterns")

_USE: Final = re.compile(r"\(\?&(\w+)\)")

Entry = TypeVar("Entry")


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/shapes.toml`: a form of token, with templates that mint examples."""

    id: str
    kind: Kind
    description: str
    examples: tuple[str, ...]
    negative_examples: tuple[str, ...] = ()


def builtin_directory(places: tuple[Path, ...] = _PLACES) -> Path:
    """The directory of the patterns that come with jwtleak; raises PatternError where the
    installation lacks it.
    """
    # By a file and not by the directory: an empty directory beside the package is no installation.
    for place in places:
        if (place / "channels.toml").is_file():
            return place
    raise PatternError(
        f"no pattern files in {' or '.join(map(str, places))}: the installation is incomplete"
    )


def load_channels(directory: Path | None = None) -> tuple[ChannelRule, ...]:
    """The channel rules of `directory` (default: those that come with jwtleak), in order, with
    their definitions expanded.
    """
    path = (directory or builtin_directory()) / "channels.toml"
    document = read_toml(path)
    # `define` holds parts that several expressions share, as `(?(DEFINE)...)` would.
    define = convert(document.get("define", {}), dict[str, str], path.name, "define")
    rules = entries(document, "channel", ChannelRule, path.name, {"define"})
    return tuple(
        msgspec.structs.replace(
            rule, regex=_expand(rule.regex, define, f"{path.name}: {rule.id}: regex")
        )
        for rule in rules
    )


def load_shapes(directory: Path | None = None) -> tuple[Shape, ...]:
    """The shapes of token that come with jwtleak, or those of `directory`."""
    path = (directory or builtin_directory()) / "shapes.toml"
    return tuple(entries(read_toml(path), "shape", Shape, path.name))


def load_user_patterns(directories: Iterable[str | Path]) -> UserPatterns:
    """The patterns in the `*.toml` files of `directories`; raises PatternError for the first bad
    one.
    """
    patterns: list[UserPattern] = []
    homes: dict[str, str] = {}
    for path in pattern_files(directories):
        for pattern in entries(read_toml(path), "pattern", UserPattern, path.name):
            # Over all files: alerts and suppressions name a pattern by its id alone.
            if pattern.id in homes:
                raise PatternError(
                    f"{path.name}: {pattern.id}: id: stands also in {homes[pattern.id]}"
                )
            homes[pattern.id] = path.name
            patterns.append(pattern)
    return UserPatterns(patterns)


def pattern_files(directories: Iterable[str | Path]) -> list[Path]:
    """The pattern files of `directories`, by name; raises PatternError for a directory that cannot
    be listed.
    """
    found: list[Path] = []
    for directory in map(Path, directories):
        try:
            # By name: a directory lists its files in any order, and the first bad one is reported.
            found += sorted(path for path in directory.iterdir() if path.suffix == ".toml")
        except OSError as error:
            raise PatternError(
                f"{directory.name}: cannot be read: {error.strerror or error}"
            ) from error
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """The document of one file; raises PatternError with its name."""
    try:
        return rtoml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        # The system's own text without the path, which `str(error)` would repeat.
        raise PatternError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    except (rtoml.TomlParsingError, UnicodeDecodeError) as error:
        raise PatternError(f"{path.name}: is not TOML: {error}") from error


def entries(
    document: dict[str, Any],
    table: str,
    kind: type[Entry],
    file: str,
    others: frozenset[str] | set[str] = frozenset(),
) -> list[Entry]:
    """The `[[table]]` entries of a document as `kind`; raises PatternError for an unknown table, an
    unknown key or a second id.
    """
    unknown = sorted(set(document) - {table} - others)
    if unknown:
        raise PatternError(f"{file}: unknown table '{unknown[0]}'")
    listed = convert(document.get(table, []), list[dict[str, Any]], file, table)
    labels = [str(raw.get("id", f"{table} {number}")) for number, raw in enumerate(listed, 1)]
    if len(set(labels)) == len(labels):
        # All at once is faster, but its error does not name the entry: then one by one.
        with suppress(msgspec.ValidationError):
            return msgspec.convert(listed, list[kind])  # type: ignore[valid-type]
    # The slow way, for the error: it names the entry.
    found: dict[str, Entry] = {}
    for label, raw in zip(labels, listed, strict=True):
        if label in found:
            raise PatternError(f"{file}: {label}: id: stands twice")
        found[label] = convert(raw, kind, file, label)
    return list(found.values())


def convert(raw: Any, kind: type[Entry], file: str, label: str) -> Entry:
    """`raw` as `kind`; raises PatternError with file, entry and key."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        # msgspec begins its message with a capital; here it follows a colon.
        raise PatternError(f"{file}: {label}: {text[:1].lower()}{text[1:]}") from error


def _expand(regex: str, define: dict[str, str], where: str) -> str:
    # Python's `re` has no `(?&name)`: the definitions are inserted as text.
    def put(match: re.Match[str]) -> str:
        if match[1] not in define:
            raise PatternError(f"{where}: (?&{match[1]}) is not defined")
        return define[match[1]]

    return _USE.sub(put, regex)


class Problem(NamedTuple):
    """A mistake in an entry of a file."""

    file: str
    id: str
    message: str


def b64(data: bytes) -> str:
    """base64url without padding, the form of a token's segments (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
