"""Fingerprints of tokens, ids of occurrences, and the set of tokens that a stream has shown.

Promises: an id depends on content alone: the first bytes of the stream, the offset, the token. It
survives retry, restart, re-scan, rotation and compression. All bytes that count come before the end
of the token, so a file that grows keeps its ids.
"""

from __future__ import annotations

import stringzilla

# The digests of hashlib, at half the cost for inputs as short as tokens. Tests compare the two.
_sha256 = stringzilla.sha256

_VERSION = b"jwtleak/1\0"

# First bytes that tell two logs of one service apart: their first line has a time. More would cost
# an extra read for each part of a split file.
HEAD = 1024


def token_sha256(raw: bytes) -> str:
    """The fingerprint of a token: SHA-256 of its compact form, in hex."""
    digest: bytes = _sha256(raw)
    return digest.hex()


class Occurrences:
    """Makes the ids of one stream's occurrences. `head` is its first HEAD bytes, or all of them."""

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
        # A token in the first HEAD bytes may be found before the rest of them is written. Its id
        # uses the bytes up to its own end, which never change again.
        identity = self._whole if end >= HEAD else _sha256(_VERSION + self.head[:end])
        digest: bytes = _sha256(b"%b%d:%b" % (identity, offset, token.encode("ascii")))
        return digest[:20].hex()


class SeenTokens:
    """The tokens that a stream has shown lately: tells a first sighting from a repeat.

    It forgets all of them when one more than `capacity` comes. So what it knows depends only on the
    order of the tokens, and an owner with the same capacity forgets at the same token.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: set[str] = set()

    def again(self, sha256: str) -> bool:
        """Whether this fingerprint was seen before. Adds it."""
        seen = self._seen
        if sha256 in seen:
            return True
        if len(seen) >= self._capacity:
            seen.clear()
        seen.add(sha256)
        return False
