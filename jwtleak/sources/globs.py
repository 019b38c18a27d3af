"""Include and exclude globs, compiled once.

Promises: `*` and `?` never cross a `/`, `**` does; a pattern without `/` is matched against the
base name, one with `/` against the path relative to the root that was given. Exclude wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
        negated = token[1] == "!"
        members = re.sub(r"([\\\[&~|^])", r"\\\1", token[1 + negated : -1])
        members = members.replace("]", r"\]")
        return f"(?!/)[{'^' * negated}{members}]"
    return re.escape(token)


def translate(pattern: str) -> str:
    """The regular expression (for `fullmatch`) of a glob. Raises `re.error` for a class such as
    `[z-a]`.
    """
    return "".join(map(_piece, re.findall(_TOKEN, pattern)))


class Globs:
    """A set of globs that answers whether one of them matches."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile. Raises `re.error` (a `ValueError` in spirit) for a pattern that means nothing."""
        names: list[str] = []
        paths: list[str] = []
        for pattern in patterns:
            bare = pattern.rstrip("/")
            (paths if "/" in bare else names).append(translate(bare.removeprefix("./").lstrip("/")))
        self._names = re.compile("|".join(names), re.DOTALL) if names else None
        self._paths = re.compile("|".join(paths), re.DOTALL) if paths else None

    def __bool__(self) -> bool:
        return bool(self._names or self._paths)

    def match(self, relative: str) -> bool:
        """Whether a path relative to the root, or its base name, matches."""
        if self._names and self._names.fullmatch(relative.rpartition("/")[2]):
            return True
        return bool(self._paths and self._paths.fullmatch(relative))


class GlobFilter:
    """Which files of a tree are wanted: not excluded (nor inside an excluded directory), and
    included if asked.
    """

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        self._include = Globs(include)
        self._exclude = Globs(exclude)

    def enters(self, relative: str) -> bool:
        """Whether a directory is walked; its ancestors are taken to have been asked already."""
        return not (self._exclude and self._exclude.match(relative))

    def takes(self, relative: str) -> bool:
        """Whether a file is wanted; its directories are taken to have been asked already."""
        return self.enters(relative) and (not self._include or self._include.match(relative))

    def descends(self, relative: str) -> bool:
        """Whether a walk from the root comes to a directory: neither it nor one above it is
        excluded.
        """
        ends = [i for i, letter in enumerate(relative) if letter == "/"]
        return all(self.enters(relative[:end]) for end in [*ends, len(relative)])

    def reaches(self, relative: str) -> bool:
        """Whether a walk from the root gives a file."""
        return self.descends(relative.rpartition("/")[0]) and self.takes(relative)
