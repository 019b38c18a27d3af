"""A value that is never printed.

Promises: printing, formatting, ordering, pickling or copying a `Secret` does not reveal it.
Refuses: implicit conversion. The only way to the bytes is `reveal()`, which is easy to search for.
"""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Raw bytes of a token. Only `reveal()` returns them."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes. Every call is a place to review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        # A pickle would be a copy of the token on a pipe or a disk.
        raise TypeError("a Secret cannot be pickled or copied")
