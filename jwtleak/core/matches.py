"""What the scanner hands to the engine: a judged token and its original bytes."""

from __future__ import annotations

import msgspec

from jwtleak.types import Token


class Leak(msgspec.Struct, frozen=True, gc=False):
    """A token in the original bytes [start, end).

    `before` and `after` are the decoded text around it; None where nothing had to be decoded and
    the buffer says it. `pieces` are the parts of [start, end) that are its own where other text
    stands among them: records of another stream. `anchor` is where the needle stands that had its
    region decoded, when that is further before.
    """

    start: int
    end: int
    token: Token
    encodings: tuple[str, ...] = ()
    before: bytes | None = None
    after: bytes | None = None
    pieces: tuple[tuple[int, int], ...] = ()
    anchor: int | None = None

    @property
    def held(self) -> int:
        """From where it is found again."""
        return self.start if self.anchor is None else self.anchor

    @property
    def first_end(self) -> int:
        """Where what is its own ends for the first time."""
        return self.pieces[0][1] if self.pieces else self.end


_RANK = {"whole": 3, "odd": 2, "clipped": 1}


def rank(token: Token) -> tuple[int, bool, int]:
    """How much of a token this is: of two readings of the same bytes the higher wins."""
    return (_RANK[token.integrity], token.claims is not None, len(token.raw))
