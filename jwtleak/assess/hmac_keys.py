"""HMAC keys that anyone has: published ones and those of a word list; and tokens that documentation
prints.

Promises: a signature is recomputed, never guessed; a key never leaves this module; time per token
is bounded. A token that no published key fits says something of the next ones of its signer, so of
a long row of them only some are tried.
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

# Tokens of one signer that are all tried before tries are spread out: the same service signs with
# the same key, and a second service behind the same header, issuer and claim names is met again
# within a few lines.
TRIED_FIRST = 32
# Then one in so many is tried with every key: 40 keys cost 25 microseconds, more than the rest of
# the work on a token.
TRIED_EVERY = 32
# Signers remembered in one stream, and how much of what names them.
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
    """One entry of `patterns/examples.toml`: where documentation prints tokens, and their
    fingerprints.
    """

    where: str
    sha256: tuple[str, ...]


class Signed:
    """What an HMAC signature is of: the bytes, and the digest that they must give. Falsy where
    there is none.
    """

    __slots__ = ("_algorithm", "_bytes", "_digest")

    def __init__(self, token: Token) -> None:
        alg = token.header.get("alg")
        self._bytes = self._digest = b""
        if token.kind not in ("jws", "sd-jwt") or token.integrity == "clipped" or alg not in _HMAC:
            return
        raw = token.raw.reveal()
        end = raw.find(b"~") if token.kind == "sd-jwt" else len(raw)
        dot = raw.rfind(b".", 0, end)
        self._bytes = raw[:dot]
        self._digest = decode_segment(raw[dot + 1 : end].rstrip(b"=")) or b""
        self._algorithm = _DIGESTS.get(alg)

    def __bool__(self) -> bool:
        return bool(self._digest)

    def by(self, key: bytes) -> bool:
        """Whether `key` made the signature. No secret is compared: the time it takes tells nothing."""
        if self._algorithm is None:
            return bool(_hmac_sha256(key, self._bytes) == self._digest)
        import hmac  # brings OpenSSL along, and most logs hold none of these two algorithms

        return hmac.digest(key, self._bytes, self._algorithm) == self._digest


class Keys:
    """Published keys and known examples."""

    def __init__(
        self, published: Sequence[PublishedKey] = (), examples: Iterable[Example] = ()
    ) -> None:
        self.secrets = tuple(dict.fromkeys(one.secret() for one in published))
        self._examples = frozenset(digest for one in examples for digest in one.sha256)

    def is_example(self, sha256: str) -> bool:
        """Whether documentation prints this very token."""
        return sha256 in self._examples


class _Signer:
    __slots__ = ("key", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.key: bytes | None = None


class Signers:
    """Tries the published keys on the tokens of one stream. What it does depends on that stream
    alone.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys.secrets
        self._signers: dict[Any, _Signer] = {}

    def published(self, token: Token) -> bool:
        """Whether a published key made the signature."""
        alg = token.header.get("alg")
        if not self._keys or alg not in _HMAC:
            return False
        claims = token.claims or {}
        kid, issuer = token.header.get("kid"), claims.get("iss")
        # Only strings name a signer: nested lists would take as deep a stack to compare as to
        # build.
        name = (
            alg, kid[:_NAME] if isinstance(kid, str) else None,
            issuer[:_NAME] if isinstance(issuer, str) else None, tuple(claims) if len(claims) <= _CLAIMS else len(claims),
        )  # fmt: skip
        signer = self._signers.get(name)
        if signer is None:
            if len(self._signers) >= _SIGNERS:
                self._signers.clear()
            signer = self._signers[name] = _Signer()
        return self._try(signer, token)

    def _try(self, signer: _Signer, token: Token) -> bool:
        signer.seen += 1
        if signer.key is None and signer.seen > TRIED_FIRST and signer.seen % TRIED_EVERY:
            return False
        signed = Signed(token)
        if not signed:
            return False
        if signer.key is not None and signed.by(signer.key):
            return True
        for key in self._keys:
            if signed.by(key):
                signer.key = key
                return True
        return False


# A word list is tried in pieces; the clock is asked between them: every millisecond or so.
_PIECE = 1024
# A line longer than this is no key that a person chose.
_LONGEST_WORD = 512
_RESULTS = 65_536
# Seconds of trying that are free: a small scan is over before its share amounts to anything.
GRACE = 1.0


class WeakKeys:
    """A word list, tried on each token once, for at most `share` seconds in a second of work (0: as
    long as it takes) and `GRACE` seconds before that counts. `untried` counts tokens for which the
    time ran out.
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
        name = binascii.unhexlify(sha256)
        known = self._results.get(name)
        if known is not None:
            return known
        signed = Signed(token)
        if not signed:
            return False
        found = self._tried(signed)
        if found is None:
            self.untried += 1
        if len(self._results) >= _RESULTS:
            self._results.clear()
        self._results[name] = found is True
        return found is True

    def _tried(self, signed: Signed) -> bool | None:
        """None where the time ran out first."""
        by = signed.by
        for at in range(0, len(self._words), _PIECE):
            now = self._clock()
            if self._share and self._spent > self._share * (now - self._began) + GRACE:
                return None
            found = any(by(word) for word in self._words[at : at + _PIECE])
            self._spent += self._clock() - now
            if found:
                return True
        return False
