"""Mints tokens for tests, with keys that exist nowhere else. Deterministic, so failures repeat."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

NOW = 1_768_478_400  # 2026-01-15T12:00:00Z, the moment at which tests judge expiry
KEY = b"a throw-away key of the test suite"

CLAIMS: dict[str, Any] = {
    "iss": "https://idp.test/",
    "sub": "user-1",
    "aud": "api",
    "iat": NOW - 60,
    "exp": NOW + 3600,
}
SIGNATURE_BYTES = {
    "HS256": 32, "HS384": 48, "HS512": 64, "RS256": 256, "RS384": 384, "PS512": 512,
    "ES256": 64, "ES384": 96, "ES512": 132, "EdDSA": 64, "ES256K": 64,
}  # fmt: skip


def b64(data: bytes | dict[str, Any] | str, *, pad: bool = False) -> str:
    """base64url of bytes, text, or compact JSON."""
    if isinstance(data, dict):
        data = json.dumps(data, separators=(",", ":"))
    raw = data.encode() if isinstance(data, str) else data
    text = base64.urlsafe_b64encode(raw).decode()
    return text if pad else text.rstrip("=")


def noise(count: int, seed: str) -> bytes:
    """`count` bytes that depend on `seed` alone."""
    return hashlib.shake_128(seed.encode()).digest(count)


def jws(
    claims: dict[str, Any] | bytes | None = None,
    alg: str = "HS256",
    *,
    head: str | None = None,
    pad: bool = False,
    **header: Any,
) -> str:
    """A signed token. `head` is the header's text where its spelling matters."""
    first = b64(head if head is not None else {"alg": alg, "typ": "JWT", **header}, pad=pad)
    body = b64(CLAIMS if claims is None else claims, pad=pad)
    signed = f"{first}.{body}"
    if alg == "HS256":
        signature = hmac.digest(KEY, signed.encode(), "sha256")
    else:
        signature = noise(SIGNATURE_BYTES.get(alg, 64), signed)
    return f"{signed}.{b64(signature, pad=pad)}"


def unsecured(claims: dict[str, Any] | None = None, *, dot: bool = True) -> str:
    """alg none: `h.p.` or `h.p`."""
    return f"{b64({'alg': 'none'})}.{b64(CLAIMS if claims is None else claims)}" + "." * dot


def detached(alg: str = "ES256") -> str:
    """`h..s` (RFC 7515 appendix F)."""
    head = b64({"alg": alg, "kid": "detached-1"})
    return f"{head}..{b64(noise(SIGNATURE_BYTES[alg], head))}"


def jwe(enc: str = "A256GCM", alg: str = "RSA-OAEP-256", seed: str = "1") -> str:
    """Five parts of the right lengths; `dir` has no encrypted key."""
    iv, tag = {"A256GCM": (12, 16), "A128CBC-HS256": (16, 16), "A256CBC-HS512": (16, 32)}[enc]
    key = b"" if alg == "dir" else noise(256, "key" + seed)
    parts = [key, noise(iv, "iv" + seed), noise(120, "text" + seed), noise(tag, "tag" + seed)]
    return ".".join([b64({"alg": alg, "enc": enc}), *(b64(part) for part in parts)])


def sd_jwt(*, bound: bool = False) -> str:
    """Two disclosures, and a key-binding JWT if `bound`."""
    disclosures = [b64(json.dumps(["salt" + name, name, "value"])) for name in ("given", "family")]
    return "~".join([jws(alg="ES256"), *disclosures, jws({"nonce": "n"}, "ES256") if bound else ""])


def sha256(token: str) -> str:
    """The fingerprint that an alert must show."""
    return hashlib.sha256(token.encode()).hexdigest()


def kinds() -> dict[str, str]:
    """One token of every kind, by the name of the kind."""
    return {
        "jws": jws(),
        "jws RS256": jws(alg="RS256", kid="k1"),
        "jws pretty": jws(head='{\n  "typ": "JWT",\n  "alg": "HS256"\n}'),
        "jws spaced": jws(head='{ "alg": "HS256" }'),
        "jws crlf": jws(head='{\r\n "alg":"HS256"}'),
        "jws tab": jws(head='{\t"alg":"HS256"}'),
        "jws padded": jws(pad=True),
        "unsecured": unsecured(),
        "unsecured short": unsecured(dot=False),
        "detached": detached(),
        "jwe": jwe(),
        "jwe dir": jwe(alg="dir", enc="A128CBC-HS256"),
        "sd-jwt": sd_jwt(),
        "sd-jwt bound": sd_jwt(bound=True),
    }
