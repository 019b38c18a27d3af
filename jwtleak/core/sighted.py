"""The tokens that one stream has shown lately.

Promises: what is remembered depends on the order of the tokens alone; memory is bounded by the capacity.
"""

from __future__ import annotations


class Sighted:
    """Tells the first sighting of a token from those that follow. When `capacity` tokens are remembered and another one
    comes, all are forgotten."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: set[str] = set()

    def again(self, sha256: str) -> bool:
        """Whether the token with this fingerprint was seen before; from now on it was."""
        seen = self._seen
        if sha256 in seen:
            return True
        if len(seen) >= self._capacity:
            seen.clear()
        seen.add(sha256)
        return False
