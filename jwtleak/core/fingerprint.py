"""Names for tokens and occurrences that stay the same on retry, restart, re-scan, rotation and
compression.

Promises: an occurrence is named by content alone: the first bytes of the stream, the offset in it,
and the token. The bytes that count all stand before the end of the token, so a file that grows
keeps its names.
"""

from __future__ import annotations

import stringzilla

# The same digests as hashlib's, at half the cost for inputs as short as tokens (tests compare the
# two).
_sha256 = stringzilla.sha256

_VERSION = b"jwtleak/1\0"

# As many first bytes as tell apart two logs of one service: their first line carries a time.
# Reading more would cost an extra read for each part of a file that is split.
HEAD = 1024


def token_sha256(raw: bytes) -> str:
    """The fingerprint of a token: SHA-256 of its compact form, in hex."""
    digest: bytes = _sha256(raw)
    return digest.hex()


class Occurrences:
    """Names the occurrences in one stream, given its first HEAD bytes (fewer where it is shorter)."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self._whole: bytes = _sha256(_VERSION + head[:HEAD])

    @classmethod
    def resumed(cls, identity: bytes) -> Occurrences:
        """Names for occurrences that end at HEAD or behind it, of a stream whose `identity` was
        kept.
        """
        names = cls(b"")
        names._whole = identity
        return names

    @property
    def identity(self) -> bytes:
        """A digest of the first HEAD bytes. It names all occurrences that end at HEAD or behind."""
        return self._whole

    def name(self, offset: int, length: int, token: str) -> str:
        """40 hex characters for the token with fingerprint `token` at [offset, offset + length)."""
        end = offset + length
        identity = self._whole if end >= HEAD else _sha256(_VERSION + self.head[:end])
        digest: bytes = _sha256(b"%b%d:%b" % (identity, offset, token.encode("ascii")))
        return digest[:20].hex()


# The tokens that one stream has shown lately.
#
# Promises: what is remembered depends on the order of the tokens alone; memory is bounded by the
# capacity.


class SeenTokens:
    """Tells the first sighting of a token from those that follow. When `capacity` tokens are
    remembered and another one comes, all are forgotten.
    """

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
