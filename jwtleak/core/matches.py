"""What the scanner hands to the engine: a token and the bytes it was found in.

Promises: one type from the compact parser up to the engine. `rank` orders two readings of the same
bytes. Refuses to know where the bytes came from.
"""

from __future__ import annotations

import msgspec

from jwtleak.types import Token


class TokenMatch(msgspec.Struct, frozen=True, gc=False):
    """A token in the original bytes [start, end) of a buffer.

    `stop` is the furthest offset that was examined to decide it (0 where decoded text was matched).
    `before` and `after` are the decoded text around the token, None where nothing was decoded and
    the buffer itself shows it. `pieces` are the token's own parts of [start, end) when records of
    another stream are in between. `anchor` is the offset of the needle that led to the token when
    the needle is before its first byte.
    """

    start: int
    end: int
    token: Token
    stop: int = 0
    encodings: tuple[str, ...] = ()
    before: bytes | None = None
    after: bytes | None = None
    pieces: tuple[tuple[int, int], ...] = ()
    anchor: int | None = None

    @property
    def rescan_from(self) -> int:
        """Offset to rescan from so that this match is found again."""
        return self.start if self.anchor is None else self.anchor

    @property
    def first_end(self) -> int:
        """The end of the first piece. Another token may begin behind it, between the pieces."""
        return self.pieces[0][1] if self.pieces else self.end


_RANK = {"whole": 3, "odd": 2, "clipped": 1}


def rank(token: Token) -> tuple[int, bool, int]:
    """Of two readings of the same bytes, the one with the higher rank wins."""
    # A percent-encoded token reads twice: clipped at the first escape, or whole once decoded.
    # Integrity comes first: a longer text that is not whole is mostly a token run into its
    # neighbour.
    return (_RANK[token.integrity], token.claims is not None, len(token.raw))
