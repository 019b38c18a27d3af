"""Personal data and secrets in claims, recognised by the claim's name, never by its value.

Promises: pure. The result is words of the table, never a name or a value from the token. Nested
claims are searched to a bounded depth and number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jwtleak.assess.conditions import is_small

# OpenID Connect nests `address`, applications nest a `user`. No real token is deeper.
_DEPTH = 4
_MOST = 512
# Sets of claim names in the cache: an issuer has a handful.
_NAME_SETS = 2048

_SEPARATORS = re.compile(r"[\s_-]+")
# A claim's name in a namespace is a URL or dotted (OpenID Connect Core section 5.1.2). Its last
# part has the meaning.
_LAST = re.compile(r"[/:.#]")
_LONGEST_NAME = 256
_NESTED = frozenset({dict, list})


def plain(name: str) -> str:
    """A claim's name as the table has it: `email` for `https://acme.test/E-Mail`."""
    return _SEPARATORS.sub("", _LAST.split(name[-_LONGEST_NAME:].rstrip("/:.#"))[-1]).lower()


class Sensitive:
    """Names of claims, and the word for each in an alert."""

    def __init__(
        self,
        personal: Mapping[str, Iterable[str]],
        secret: Mapping[str, Iterable[str]],
        ignore: Iterable[str] = (),
    ) -> None:
        self._words = {
            name: f"personal_data:{kind}" for kind, names in personal.items() for name in names
        }
        self._words |= {
            name: f"secret_claim:{kind}" for kind, names in secret.items() for name in names
        }
        for name in ignore:
            self._words.pop(name, None)
        self._cache: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        """How many sets of names are in the cache."""
        return len(self._cache)

    def find(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The words for `claims`, in the order of the claims, each once."""
        if not self._words:
            return ()
        # Most tokens nest nothing, and then no walk is needed.
        if not _NESTED.isdisjoint(map(type, claims.values())):
            names = tuple(_names(claims))
        else:
            names = tuple(claims)
        found = self._cache.get(names)
        if found is None:
            # Nested names count as much as outer ones: a reader of the log sees both.
            words = (self._words.get(plain(name)) for name in names)
            found = tuple(dict.fromkeys(word for word in words if word is not None))
            if is_small(names):
                if len(self._cache) >= _NAME_SETS:
                    self._cache.clear()
                self._cache[names] = found
        return found


def _names(claims: Mapping[str, Any]) -> list[str]:
    """The names of claims and of nested claims, the outer first."""
    # Layer by layer, not by recursion: a hostile token is nested deeper than the stack.
    names: list[str] = []
    layer: list[Any] = [claims]  # objects and arrays only
    for _ in range(_DEPTH):
        below: list[Any] = []
        for value in layer:
            if isinstance(value, dict):
                names += value
                below += value.values()
            else:
                below += value
            # A token of 64 KiB can hold thousands of names; the outer ones say what it is.
            if len(names) >= _MOST:
                return names[:_MOST]
        layer = [value for value in below[:_MOST] if isinstance(value, dict | list)]
    return names
