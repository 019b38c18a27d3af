"""Include and exclude globs, compiled once.

Promises: `*` and `?` never cross a `/`, `**` does; a pattern without `/` is matched against the
base name, one with `/` against the path relative to the root that the user named. Exclude wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jwtleak.errors import UsageError

_TOKEN = r"(?s)\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|."


def _piece(token: str) -> str:
    """The regular expression of one glob token."""
    match token:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if len(token) > 1:
        # A class. What `re` would read as more than a character is escaped, and "/" is in none.
        negated = token[1] == "!"
        members = re.sub(r"([\\\[&~|^])", r"\\\1", token[1 + negated : -1])
        members = members.replace("]", r"\]")
        return f"(?!/)[{'^' * negated}{members}]"
    return re.escape(token)


def translate(pattern: str) -> str:
    """The regular expression (for `fullmatch`) of a glob. Raises `re.error` for a class such as
    `[z-a]`.
    """
    # `fnmatch` is no help: its `*` crosses "/".
    return "".join(map(_piece, re.findall(_TOKEN, pattern)))


class Globs:
    """A set of globs that answers whether one of them matches."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile. Raises `re.error` for a pattern that means nothing."""
        names: list[str] = []
        paths: list[str] = []
        for pattern in patterns:
            # All of them become two expressions: a tree of a million files asks for each name.
            bare = pattern.rstrip("/")
            (paths if "/" in bare else names).append(translate(bare.removeprefix("./").lstrip("/")))
        self._names = re.compile("|".join(names), re.DOTALL) if names else None
        self._paths = re.compile("|".join(paths), re.DOTALL) if paths else None

    def __bool__(self) -> bool:
        return bool(self._names or self._paths)

    def match(self, relative: str) -> bool:
        """Whether a path relative to the root, or its base name, matches."""
        # Base names first: most globs are `*.log`.
        if self._names and self._names.fullmatch(relative.rpartition("/")[2]):
            return True
        return bool(self._paths and self._paths.fullmatch(relative))


class GlobFilter:
    """Which files of a tree are wanted: those that no exclude glob matches, neither itself nor a
    directory above, and that an include glob matches if there is one. Paths are relative to the
    root.

    Raises `UsageError` for a glob that means nothing.
    """

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        try:
            self._include = Globs(include)
            self._exclude = Globs(exclude)
        except re.error as error:
            raise UsageError(f"invalid glob: {error}") from None

    def enters(self, relative: str) -> bool:
        """Whether a directory is walked, if its ancestors are."""
        return not (self._exclude and self._exclude.match(relative))

    def matches(self, relative: str) -> bool:
        """Whether a file is wanted, if its directories are walked."""
        return self.enters(relative) and (not self._include or self._include.match(relative))

    def descends(self, relative: str) -> bool:
        """Whether a walk from the root reaches a directory: neither it nor one above it is
        excluded.
        """
        # A walk stops at the first directory that is excluded, so each one on the way counts.
        ends = [at for at, character in enumerate(relative) if character == "/"]
        return all(self.enters(relative[:end]) for end in [*ends, len(relative)])

    def reaches(self, relative: str) -> bool:
        """Whether a walk from the root yields a file."""
        return self.descends(relative.rpartition("/")[0]) and self.matches(relative)
