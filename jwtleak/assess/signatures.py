"""Whether the keys of an issuer made a signature. PyJWT does the cryptography.

Promises: pure: the caller passes the keys, nothing is fetched. A key verifies only the algorithms
of its own type, so an HS256 signature made with an RSA public key is invalid (RFC 8725 section
3.2). `alg` and `kid` of a token at most choose among the configured keys. `jku`, `x5u` and `jwk`
never add one. No error shows a key or a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from jwtleak.core.jose import decode_segment
from jwtleak.types import Token

# A key set holds a handful of keys, the largest public ones some tens.
MAX_KEYS = 256
# Signature checks for one token: without a `kid` every key of its type is tried, and a check costs
# tens of microseconds.
_MAX_TRIES = 16

_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "ES256K": ("EC", "secp256k1"),
    "EdDSA": ("OKP", None),
    "Ed25519": ("OKP", "Ed25519"),
    "Ed448": ("OKP", "Ed448"),
    **dict.fromkeys(("HS256", "HS384", "HS512"), ("oct", None)),
}
# PyJWT knows the names of RFC 9864 under the older one.
_NAMES = {"Ed25519": "EdDSA", "Ed448": "EdDSA"}


class VerificationKey(NamedTuple):
    """One parsed key. `key` is of a type of PyJWT's."""

    kid: str | None
    alg: str | None
    kty: str
    crv: str | None
    key: Any

    def __repr__(self) -> str:
        # The default would print `key`, which may be a secret.
        return f"Key(kty={self.kty!r})"


def _jwt() -> Any:
    import jwt  # a tenth of a second with cryptography: only runs that have keys pay for it

    return jwt


def parse_jwks(data: bytes) -> tuple[VerificationKey, ...]:
    """The usable signature keys of a JWK set, or of one JWK (RFC 7517); raises ValueError where it
    is neither.
    """
    jwt = _jwt()
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:  # also for nesting that is too deep
        raise ValueError("is not JSON") from None
    listed = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(jwk, dict) for jwk in listed):
        raise ValueError("is not a JWK set")
    if len(listed) > MAX_KEYS:
        raise ValueError(f"holds more than {MAX_KEYS} keys")
    keys = [
        key
        for jwk in listed
        if jwk.get("use", "sig") == "sig" and (key := _key(jwt, jwk)) is not None
    ]
    # Keys of unknown types are skipped (RFC 7517 section 5); a set of nothing else is a mistake.
    if listed and not keys:
        raise ValueError("holds no key for signatures that can be used")
    return tuple(keys)


def _key(jwt: Any, jwk: dict[str, Any]) -> VerificationKey | None:
    """A parsed JWK; None for one that PyJWT cannot use: an unknown type, curve or algorithm, or a
    broken value.
    """
    try:
        # Without `alg`, which would bind PyJWT's key to one algorithm. `_made` compares it.
        made = jwt.PyJWK({name: value for name, value in jwk.items() if name != "alg"}, None)
    except Exception:
        # PyJWT and cryptography raise a dozen types of error, some with the key in their text.
        return None
    alg, kid = jwk.get("alg"), jwk.get("kid")
    return VerificationKey(
        kid if isinstance(kid, str) else None,
        alg if isinstance(alg, str) else None,
        jwk["kty"],
        jwk.get("crv"),
        made.key,
    )


def secret_key(secret: bytes) -> VerificationKey:
    """An HMAC secret as a key."""
    return VerificationKey(None, None, "oct", None, secret)


class KeysOf(Protocol):
    """A source of an issuer's current keys."""

    def keys(self, kid: str | None) -> Sequence[VerificationKey] | None:
        """The keys; None where the source failed. A source may fetch again for an unknown `kid`."""
        ...


class FixedKeys(NamedTuple):
    """Keys that do not change."""

    all: tuple[VerificationKey, ...]

    def keys(self, kid: str | None) -> Sequence[VerificationKey]:
        """All keys."""
        return self.all


class Verifier:
    """Checks signatures with the keys of each issuer, and with loose keys of unknown issuers."""

    def __init__(
        self, issuers: Mapping[str, Sequence[KeysOf]], loose: Sequence[VerificationKey] = ()
    ) -> None:
        self._issuers = issuers
        self._loose = tuple(loose)
        self._jwt = _jwt()

    def check(self, token: Token) -> str | None:
        """`valid`; `invalid` where neither the keys of its issuer nor a loose key with its `kid`
        made the signature; None where the configured keys do not answer.
        """
        # `alg` only selects among the algorithms below; `none` is not one of them.
        parts = _parts(token)
        alg = token.header.get("alg")
        if parts is None or alg not in _TYPES:
            return None
        kid = token.header.get("kid")
        kid = kid if isinstance(kid, str) else None
        # `iss` is unverified: it chooses which keys to try, and a wrong one makes none of them fit.
        issuer = (token.claims or {}).get("iss")
        own = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if own is None:
            return self._loosely(parts, alg, kid)
        # Sources are asked at each token: a live one may have fetched new keys since.
        keys = [key for source in own for key in source.keys(kid) or ()]
        verdict = self._bound(parts, alg, kid, keys)
        # The loose keys may hold the issuer's newest one: only they can turn `invalid` around.
        return (
            verdict
            if verdict == "valid" or not self._loose
            else self._loosely(parts, alg, kid) or verdict
        )

    def _bound(
        self, parts: _Parts, alg: str, kid: str | None, keys: Sequence[VerificationKey]
    ) -> str | None:
        """The verdict of keys that are all keys of the issuer."""
        if not keys:
            return None
        # A `kid` that the set lacks may be too new or already retired: no verdict. HMAC secrets
        # have no `kid`, so they always apply.
        named = [key for key in keys if key.kid is None or kid is None or key.kid == kid]
        if not named:
            return None
        return "valid" if self._made(parts, alg, named) else "invalid"

    def _loosely(self, parts: _Parts, alg: str, kid: str | None) -> str | None:
        """The verdict of keys whose issuer is unknown. That none of them made the signature means
        `invalid` only for a key with the token's `kid`.
        """
        named = [key for key in self._loose if key.kid is not None and key.kid == kid]
        if self._made(parts, alg, named or self._loose):
            return "valid"
        return "invalid" if named else None

    def _made(self, parts: _Parts, alg: str, keys: Iterable[VerificationKey]) -> bool:
        kty, crv = _TYPES[alg]
        # The key's type decides, not the token's `alg`: RFC 8725 section 3.1, algorithm confusion.
        fitting = [
            key
            for key in keys
            if key.kty == kty
            and (crv is None or key.crv == crv)
            and (key.alg is None or key.alg == alg)
        ]
        algorithm = self._jwt.get_algorithm_by_name(_NAMES.get(alg, alg)) if fitting else None
        return any(self._verifies(algorithm, parts, key) for key in fitting[:_MAX_TRIES])

    @staticmethod
    def _verifies(algorithm: Any, parts: _Parts, key: VerificationKey) -> bool:
        try:
            return bool(algorithm.verify(parts.signed, key.key, parts.signature))
        except Exception:
            # PyJWT raises several types of error for a signature of a wrong length or form.
            return False


class _Parts(NamedTuple):
    """The signed bytes and the signature."""

    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return "_Parts(***)"


def _parts(token: Token) -> _Parts | None:
    """The parts to verify; None where the token does not hold them (detached, clipped, or an
    unencoded payload of RFC 7797).
    """
    if (
        token.kind not in ("jws", "sd-jwt")
        or token.integrity == "clipped"
        or token.header.get("b64") is False
    ):
        return None
    # The signature of an SD-JWT ends before its first disclosure.
    raw = token.raw.reveal()
    end = raw.find(b"~") if token.kind == "sd-jwt" else len(raw)
    dot = raw.rfind(b".", 0, end)
    signature = decode_segment(raw[dot + 1 : end].rstrip(b"="))
    # RFC 7515 section 5.1 step 8: over the segments as sent, but without the padding that some
    # issuers leave in.
    return None if not signature else _Parts(raw[:dot].replace(b"=", b""), signature)
