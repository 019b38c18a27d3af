"""HMAC keys that anyone has: published ones and those of a word list; and tokens that documentation
prints.

Promises: a match is a recomputed signature, never a guess. A key never leaves this module. Time a
token is bounded. If no published key made the first tokens of a signer, the next ones will hardly
differ: only a sample of them is tried.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import stringzilla

from jwtleak.core.jose import decode_segment
from jwtleak.types import Token

_hmac_sha256 = stringzilla.hmac_sha256
_DIGESTS = {"HS384": "sha384", "HS512": "sha512"}
_HMAC = ("HS256", *_DIGESTS)

# The first tokens of a signer, all of which are tried. A service signs with one key. A second
# service with the same header, issuer and claim names shows up within a few lines.
TRIED_FIRST = 32
# After that, one token in so many is tried: 40 keys cost 25 us, as much as the rest of the work on
# a token.
TRIED_EVERY = 32
# Signers counted in one stream, and bounds of the strings and claim names that identify one.
_SIGNERS = 1024
_NAME = 128
_CLAIMS = 48


class PublishedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/keys.toml`."""

    id: str
    reference: str
    key: str | None = None
    base64: str | None = None

    def secret(self) -> bytes:
        """The key itself; raises ValueError where there is none."""
        if (self.key is None) == (self.base64 is None):
            raise ValueError("one of key and base64 is needed")
        if self.key is not None:
            return self.key.encode()
        assert self.base64 is not None
        decoded = decode_segment(self.base64.rstrip("=").encode())
        if not decoded:
            raise ValueError("base64: is not base64")
        return decoded


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/examples.toml`: a place that prints tokens, and their SHA-256."""

    where: str
    sha256: tuple[str, ...]


class Signed:
    """An HMAC signature: the signed bytes and the digest. Falsy where the token has none."""

    __slots__ = ("_algorithm", "_bytes", "_digest")

    def __init__(self, token: Token) -> None:
        alg = token.header.get("alg")
        self._bytes = self._digest = b""
        if token.kind not in ("jws", "sd-jwt") or token.integrity == "clipped" or alg not in _HMAC:
            return
        raw = token.raw.reveal()
        # Disclosures follow the signature of an SD-JWT (RFC 9901); it does not cover them.
        end = raw.find(b"~") if token.kind == "sd-jwt" else len(raw)
        dot = raw.rfind(b".", 0, end)
        self._bytes = raw[:dot]
        self._digest = decode_segment(raw[dot + 1 : end].rstrip(b"=")) or b""
        self._algorithm = _DIGESTS.get(alg)

    def __bool__(self) -> bool:
        return bool(self._digest)

    def by(self, key: bytes) -> bool:
        """Whether `key` made the signature."""
        # A plain comparison: both sides are public, so its time reveals no secret.
        if self._algorithm is None:
            return bool(_hmac_sha256(key, self._bytes) == self._digest)
        import hmac  # brings OpenSSL along, and most logs hold none of these two algorithms

        return hmac.digest(key, self._bytes, self._algorithm) == self._digest


class Keys:
    """Published keys and known examples."""

    def __init__(
        self, published: Sequence[PublishedKey] = (), examples: Iterable[Example] = ()
    ) -> None:
        self.secrets = tuple(dict.fromkeys(key.secret() for key in published))
        self._examples = frozenset(digest for example in examples for digest in example.sha256)

    def is_example(self, sha256: str) -> bool:
        """Whether documentation prints this very token."""
        return sha256 in self._examples


class _Signer:
    __slots__ = ("key", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.key: bytes | None = None


class Signers:
    """Tries the published keys on the tokens of one stream. Its answers depend on that stream
    alone: the same file has the same alerts, whatever was scanned before.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys.secrets
        self._signers: dict[Any, _Signer] = {}

    def published(self, token: Token) -> bool:
        """Whether a published key made the signature."""
        # Before anything is counted: tokens of other algorithms would fill the table of signers.
        alg = token.header.get("alg")
        if not self._keys or alg not in _HMAC:
            return False
        claims = token.claims or {}
        kid, issuer = token.header.get("kid"), claims.get("iss")
        # Only strings identify a signer: a list in `kid` has no hash.
        name = (
            alg,
            kid[:_NAME] if isinstance(kid, str) else None,
            issuer[:_NAME] if isinstance(issuer, str) else None,
            tuple(claims) if len(claims) <= _CLAIMS else len(claims),
        )
        signer = self._signers.get(name)
        if signer is None:
            if len(self._signers) >= _SIGNERS:
                # An attacker who varies `kid` gets every token tried, which costs time alone.
                self._signers.clear()
            signer = self._signers[name] = _Signer()
        return self._try(signer, token)

    def _try(self, signer: _Signer, token: Token) -> bool:
        signer.seen += 1
        # A signer with a published key is always tried: its next token is critical too.
        if signer.key is None and signer.seen > TRIED_FIRST and signer.seen % TRIED_EVERY:
            return False
        signed = Signed(token)
        if not signed:
            return False
        # One HMAC in place of forty for the next tokens of the same service.
        if signer.key is not None and signed.by(signer.key):
            return True
        for key in self._keys:
            if signed.by(key):
                signer.key = key
                return True
        return False


# Words between two readings of the clock: about a millisecond.
_PIECE = 1024
# No person chose a longer key.
_LONGEST_WORD = 512
_RESULTS = 65_536
# Seconds that count against no share: a small scan ends before its share amounts to anything.
GRACE = 1.0


class WeakKeys:
    """A word list. Tries each distinct token once.

    Spends at most `share` seconds in a second of work, after the first `GRACE` seconds; a `share`
    of 0 sets no limit. `untried` counts the tokens that the limit cut short.
    """

    def __init__(self, data: bytes, clock: Callable[[], float], share: float) -> None:
        words = (line.rstrip(b"\r") for line in data.split(b"\n"))
        self._words = list(
            dict.fromkeys(word for word in words if word and len(word) <= _LONGEST_WORD)
        )
        self._clock = clock
        self._share = share
        self._began = clock()
        self._spent = 0.0
        self._results: dict[bytes, bool] = {}
        self.untried = 0

    def __len__(self) -> int:
        return len(self._words)

    def made(self, token: Token, sha256: str) -> bool:
        """Whether a word of the list made the signature of `token`."""
        # Half the memory of the hex digits: a long scan fills this table.
        name = binascii.unhexlify(sha256)
        known = self._results.get(name)
        if known is not None:
            return known
        signed = Signed(token)
        if not signed:
            return False
        found = self._tried(signed)
        if found is None:
            # "Not tried" must not read as "not weak": the count shows in the summary.
            self.untried += 1
        # A cleared table means that a token is tried again, not that it is missed.
        if len(self._results) >= _RESULTS:
            self._results.clear()
        self._results[name] = found is True
        return found is True

    def _tried(self, signed: Signed) -> bool | None:
        """None where the time ran out."""
        by = signed.by
        for at in range(0, len(self._words), _PIECE):
            now = self._clock()
            # Between pieces, so that a token overruns its share by one piece at most.
            if self._share and self._spent > self._share * (now - self._began) + GRACE:
                return None
            found = any(by(word) for word in self._words[at : at + _PIECE])
            self._spent += self._clock() - now
            if found:
                return True
        return False
