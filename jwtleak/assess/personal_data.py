"""Personal data and secrets inside claims: told by the claim's name, never by its value.

Promises: pure; what comes out is a word of the table, never a name or a value from the token;
claims inside claims are looked at to a bounded depth and number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jwtleak.assess.conditions import is_small

# OpenID Connect nests `address`, applications nest a `user`; deeper is no shape of a real token.
_DEPTH = 4
_MOST = 512
_REMEMBER = 2048

_SEPARATORS = re.compile(r"[\s_-]+")
# A claim's name in a namespace is a URL or dotted (OpenID Connect Core section 5.1.2): its last
# part says what it is.
_LAST = re.compile(r"[/:.#]")
_LONGEST_NAME = 256
_NESTED = frozenset({dict, list})


def plain(name: str) -> str:
    """`https://acme.test/E-Mail` as `email`."""
    return _SEPARATORS.sub("", _LAST.split(name[-_LONGEST_NAME:].rstrip("/:.#"))[-1]).lower()


class Sensitive:
    """Names of claims, and what each is called in an alert."""

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
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def find(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """What `claims` hold, as words of the table, in their order, each once."""
        if not self._words:
            return ()
        if not _NESTED.isdisjoint(map(type, claims.values())):
            names = tuple(_names(claims))
        else:
            names = tuple(claims)
        found = self._known.get(names)
        if found is None:
            words = (self._words.get(plain(name)) for name in names)
            found = tuple(dict.fromkeys(word for word in words if word is not None))
            if is_small(names):
                if len(self._known) >= _REMEMBER:
                    self._known.clear()
                self._known[names] = found
        return found


def _names(claims: Mapping[str, Any]) -> list[str]:
    """The names of claims and of what stands inside them, the outer first."""
    names: list[str] = []
    layer: list[Any] = [claims]
    for _ in range(_DEPTH):
        below: list[Any] = []
        for one in layer:
            if isinstance(one, dict):
                names += one
                below += one.values()
            elif isinstance(one, list):
                below += one
            if len(names) >= _MOST:
                return names[:_MOST]
        layer = [one for one in below[:_MOST] if isinstance(one, dict | list)]
    return names
