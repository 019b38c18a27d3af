"""Which sinks a letter is for: what a sink's condition leaves out does not come into its queue, and takes no room there.

Promises: a letter that cannot be read goes to all, and becomes a dead letter there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from jwtleak.runtime.delivery.messages import Unreadable, read
from jwtleak.runtime.delivery.route import Route, everything
from jwtleak.store.interface import Letter


class Addressing:
    """`routes` is by sink. Where no sink has a condition nothing is read."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes if any(one is not everything for one in routes.values()) else {}

    def of(self, letters: Iterable[Letter]) -> list[Letter]:
        """The same letters, with the sinks that they are for."""
        return [self._addressed(one) for one in letters] if self._routes else list(letters)

    def _addressed(self, letter: Letter) -> Letter:
        try:
            alert = read(letter.body)
        except Unreadable:
            return letter
        return replace(letter, sinks=tuple(name for name, wanted in self._routes.items() if wanted(alert)))
