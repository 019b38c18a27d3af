"""The files, directories and globs to follow, with include and exclude patterns.

Promises: `*` and `?` stay within one name, `**` crosses directories; exclude wins. A name that
begins with a dot is followed only where a pattern or an argument spells the dot. Refuses: the file
system, except once for each argument, to see what it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from jwtleak.errors import UsageError
from jwtleak.sources.globs import Globs, translate

_MAGIC = re.compile(r"[*?[]")


class Target:
    """One argument: everything below `base` whose relative path matches a pattern.

    `plain` is the path of the file when the argument is one file.
    """

    def __init__(self, base: str, pattern: str, plain: str | None = None) -> None:
        self.base = base
        self.plain = plain
        self._whole = re.compile(
            translate(pattern) if plain is None else re.escape(pattern), re.DOTALL
        )
        parts = pattern.split("/")
        self._deep = next((at for at, part in enumerate(parts) if "**" in part), None)
        # A file's own name may contain glob characters.
        literal = plain is not None
        self._parts = [
            re.compile(re.escape(part) if literal else translate(part), re.DOTALL) for part in parts
        ]
        self._dotted = [
            compiled
            for part, compiled in zip(parts, self._parts, strict=True)
            if part.startswith(".")
        ]

    def matches(self, relative: str) -> bool:
        """Return whether a file matches, by its path below `base`."""
        return self._whole.fullmatch(relative) is not None and self._spells_dots(relative)

    def enters(self, relative: str) -> bool:
        """Return whether a match may be below a directory, by its path below `base`."""
        names = relative.split("/")
        # Without `**` a match has as many names as the pattern has parts: deeper is never one.
        if self._deep is None and len(names) >= len(self._parts):
            return False
        # Before the first `**` each part matches one name; behind it anything may follow.
        fixed = self._parts[: self._deep]
        return all(
            part.fullmatch(name) for part, name in zip(fixed, names, strict=False)
        ) and self._spells_dots(relative)

    def _spells_dots(self, relative: str) -> bool:
        """Return whether the pattern spells the dot of every hidden name."""
        # Most paths have no hidden name.
        if "/." not in relative and not relative.startswith("."):
            return True
        hidden = [name for name in relative.split("/") if name.startswith(".")]
        return all(any(part.fullmatch(name) for part in self._dotted) for name in hidden)


class Filter:
    """`--include` and `--exclude`, on the path below the argument or the whole path."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        try:
            self._include, self._exclude = Globs(include), Globs(exclude)
        except re.error as error:
            raise UsageError(f"invalid glob: {error}") from None

    def excludes(self, relative: str, path: str) -> bool:
        """Return whether a file, or a directory with all below it, is excluded."""
        # Of the whole path without its leading slash, since `Globs` strips that of a pattern too.
        return bool(self._exclude) and (
            self._exclude.match(relative) or self._exclude.match(path[1:])
        )

    def includes(self, relative: str, path: str) -> bool:
        """Return whether a file is included."""
        return not self._include or self._include.match(relative) or self._include.match(path[1:])


def targets(paths: Iterable[str], include: Iterable[str] = ()) -> list[Target]:
    """Return the targets of the arguments. Raises `UsageError` for an invalid path or glob."""
    found: list[Target] = []
    for argument in dict.fromkeys(paths):
        # The system would refuse both only later, once for every poll.
        if "\0" in argument or not argument:
            raise UsageError(f"not a path: {argument!r}")
        path = os.path.abspath(argument)
        try:
            found.extend(_targets(path, argument.endswith("/"), list(include)))
        except re.error as error:
            raise UsageError(f"invalid glob {argument!r}: {error}") from None
    return found


def _targets(path: str, slash: bool, include: list[str]) -> list[Target]:
    # A file may have brackets in its name: what exists is no glob.
    magic = _MAGIC.search(path)
    directory = os.path.isdir(path)
    if magic and not directory and not os.path.lexists(path):
        # The base is the last directory without a glob character, so that nothing above is listed.
        cut = path.rindex("/", 0, magic.start()) or 1
        return [Target(path[:cut], path[cut:].lstrip("/"))]
    # A path that does not exist yet may become a file or a directory: both are followed.
    tree = [_Tree(path, include)]
    # A trailing slash says that it will be a directory.
    file = (
        [] if directory or slash else [Target(os.path.dirname(path), os.path.basename(path), path)]
    )
    return [*file, *tree] if not file or not os.path.lexists(path) else file


class _Tree(Target):
    """A directory: all files below it."""

    def __init__(self, base: str, include: list[str]) -> None:
        super().__init__(base, "**")
        # `**` spells no dot. `--include` does where it names a hidden file, and then means it.
        dotted = [
            part
            for glob in include
            for part in glob.split("/")
            if part.startswith(".") and part not in (".", "..")
        ]
        self._dotted = [re.compile(translate(part), re.DOTALL) for part in dotted]
