"""What is to be followed: files, directories and globs, with what is included and excluded.

Promises: `*` and `?` stay in one name, `**` crosses directories; exclude wins; a name that begins
with a dot is followed only where a pattern or an argument names it with its dot. Nothing here looks
at files but `os.path.isdir`, once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from jwtleak.errors import UsageError
from jwtleak.sources.globs import Globs, translate

_MAGIC = re.compile(r"[*?[]")


class Target:
    """One argument: everything below `base` whose relative path fits. `plain` is the file's path if
    one file is meant.
    """

    def __init__(self, base: str, pattern: str, plain: str | None = None) -> None:
        self.base = base
        self.plain = plain
        self._whole = re.compile(
            translate(pattern) if plain is None else re.escape(pattern), re.DOTALL
        )
        parts = pattern.split("/")
        self._deep = next((at for at, part in enumerate(parts) if "**" in part), None)
        literal = plain is not None
        self._parts = [
            re.compile(re.escape(part) if literal else translate(part), re.DOTALL) for part in parts
        ]
        self._dotted = [
            compiled
            for part, compiled in zip(parts, self._parts, strict=True)
            if part.startswith(".")
        ]

    def takes(self, relative: str) -> bool:
        """Whether a file fits."""
        return self._whole.fullmatch(relative) is not None and self._shown(relative)

    def enters(self, relative: str) -> bool:
        """Whether something that fits may be below a directory."""
        names = relative.split("/")
        if self._deep is None and len(names) >= len(self._parts):
            return False
        fixed = self._parts[: self._deep]
        return all(
            part.fullmatch(name) for part, name in zip(fixed, names, strict=False)
        ) and self._shown(relative)

    def _shown(self, relative: str) -> bool:
        """Whether every name with a dot is asked for by one."""
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
        """Whether a file, or a directory with all below it, is left out."""
        return bool(self._exclude) and (
            self._exclude.match(relative) or self._exclude.match(path[1:])
        )

    def includes(self, relative: str, path: str) -> bool:
        """Whether a file is asked for."""
        return not self._include or self._include.match(relative) or self._include.match(path[1:])


def targets(paths: Iterable[str], include: Iterable[str] = ()) -> list[Target]:
    """The targets of the arguments. Raises `UsageError` for a glob that means nothing."""
    found: list[Target] = []
    for argument in dict.fromkeys(paths):
        if "\0" in argument or not argument:
            raise UsageError(f"not a path: {argument!r}")
        path = os.path.abspath(argument)
        try:
            found.extend(_targets(path, argument.endswith("/"), list(include)))
        except re.error as error:
            raise UsageError(f"invalid glob {argument!r}: {error}") from None
    return found


def _targets(path: str, slash: bool, include: list[str]) -> list[Target]:
    magic = _MAGIC.search(path)
    directory = os.path.isdir(path)
    if magic and not directory and not os.path.lexists(path):
        cut = path.rindex("/", 0, magic.start()) or 1
        return [Target(path[:cut], path[cut:].lstrip("/"))]
    # What is not there yet may become either.
    tree = [_Tree(path, include)]
    file = (
        [] if directory or slash else [Target(os.path.dirname(path), os.path.basename(path), path)]
    )
    return [*file, *tree] if not file or not os.path.lexists(path) else file


class _Tree(Target):
    """A directory: all files below it."""

    def __init__(self, base: str, include: list[str]) -> None:
        super().__init__(base, "**")
        dotted = [
            part
            for glob in include
            for part in glob.split("/")
            if part.startswith(".") and part not in (".", "..")
        ]
        self._dotted = [re.compile(translate(part), re.DOTALL) for part in dotted]
