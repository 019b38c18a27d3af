"""Our own files: what this program writes must not be read by it.

Promises: outputs are known by (device, inode), also after they were rotated away; files of the state are never opened.
"""

from __future__ import annotations

from collections.abc import Callable

from jwtleak.follow.fingerprint import HEAD_STEPS, Key, digest, same_generation
from jwtleak.follow.open_file import Handle


class Own:
    """Files that this program writes, also after they were rotated and are its own no more."""

    def __init__(
        self, ask: Callable[[], frozenset[Key]], sealed: Callable[[], frozenset[Key]] = frozenset
    ) -> None:
        self._ask = ask
        self._ask_sealed = sealed
        self._sealed: frozenset[Key] | None = None
        self._now: frozenset[Key] | None = None
        self._known: dict[Key, tuple[int | None, bytes]] = {}

    def ask_again(self) -> None:
        """What is ours may have changed."""
        self._now = self._sealed = None

    def seals(self, key: Key) -> bool:
        """Whether a file must not even be opened: closing any descriptor of it lets go of SQLite's locks in this process
        (fcntl(2), "Advisory record locking")."""
        if self._sealed is None:
            self._sealed = self._ask_sealed()
        return key in self._sealed

    def has(self, handle: Handle) -> bool:
        """Whether a file is or was ours. An inode number that another file has by now does not count."""
        if self._now is None:
            self._now = self._ask()
        mark = handle.generation, digest(handle.head[: HEAD_STEPS[0]])
        if handle.key in self._now:
            self._known[handle.key] = mark
            return True
        known = self._known.get(handle.key)
        if known is None:
            return False
        return same_generation(known[0], mark[0]) and (known[0] is not None or known[1] == mark[1])
