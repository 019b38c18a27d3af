"""Verification by configured keys: PyJWT's own tokens, RFC vectors, every way of being wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from minting import CLAIMS, NOW, b64, detached, jwe, jws, unsecured

import jwtleak
from jwtleak.assess.signatures import (
    FixedKeys,
    VerificationKey,
    Verifier,
    _parts,
    parse_jwks,
    secret_key,
)
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.types import Token

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
KEYS: dict[str, Any] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    **{alg: ec.generate_private_key(curve) for alg, curve in EC.items()},
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
SECRET = b"a secret of 64 bytes, as HS512 asks for one of such a length....."


def jwk(alg: str, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    """The public JWK for `alg`."""
    algorithm = jwt.get_algorithm_by_name(alg)
    made = json.loads(algorithm.to_jwk(SECRET if alg.startswith("HS") else KEYS[alg].public_key()))
    made.pop("key_ops", None)
    return {**made, **({} if kid is None else {"kid": kid}), **more}


def keys(*made: dict[str, Any]) -> tuple[VerificationKey, ...]:
    """A key set, read."""
    return parse_jwks(json.dumps({"keys": made}).encode())


def signed(
    alg: str, claims: dict[str, Any] | None = None, *, key: Any = None, kid: str | None = "k1"
) -> Token:
    """A token that PyJWT made."""
    key = key if key is not None else SECRET if alg.startswith("HS") else KEYS[alg]
    return token_of(jwt.encode(claims or CLAIMS, key, alg, {} if kid is None else {"kid": kid}))


def token_of(text: str) -> Token:
    """What the judge makes of it."""
    found = Matcher().at(text.encode(), 0, len(text))
    assert isinstance(found, TokenMatch)
    return found.token


def bound(*all_: VerificationKey) -> Verifier:
    """A verifier for the issuer of minted tokens."""
    return Verifier({CLAIMS["iss"]: [FixedKeys(all_)]})


ALGORITHMS = [*KEYS, "HS256", "HS384", "HS512"]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_each_algorithm(alg: str) -> None:
    """PyJWT's tokens are valid with their key, invalid with another of its kind, and with a changed
    claim.
    """
    verifier = bound(*keys(jwk(alg)))
    token = signed(alg)
    assert verifier.check(token) == "valid"
    head, _, signature = token.raw.reveal().decode().split(".")
    forged = token_of(f"{head}.{b64({**CLAIMS, 'admin': True})}.{signature}")
    assert verifier.check(forged) == "invalid"


def test_another_key() -> None:
    """A signature by another key of the same type and name is invalid."""
    assert bound(*keys(jwk("RS256"))).check(signed("RS256", key=OTHER_RSA)) == "invalid"


def test_hs256_with_an_rsa_public_key() -> None:
    """An HMAC keyed with the public key, in any spelling of it, is invalid: the classic confusion
    of algorithms.
    """
    public = RSA.public_key()
    spellings = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1), json.dumps(jwk("RS256")).encode(),
    ]  # fmt: skip
    for spelling in spellings:
        text = f"{b64({'alg': 'HS256', 'kid': 'k1'})}.{b64(CLAIMS)}"
        digest = jwt.get_algorithm_by_name("HS256").sign(text.encode(), spelling)
        assert bound(*keys(jwk("RS256"))).check(token_of(f"{text}.{b64(digest)}")) == "invalid"


@pytest.mark.parametrize(
    ("alg", "other"),
    [("RS256", "PS256"), ("RS256", "RS512"), ("ES256", "ES384"), ("HS256", "HS512")],
)
def test_a_key_for_one_algorithm(alg: str, other: str) -> None:
    """A key whose `alg` names one algorithm verifies no other, nor does one of another curve."""
    verifier = bound(*keys({**jwk(alg), "alg": alg}))
    assert verifier.check(signed(alg)) == "valid"
    assert verifier.check(signed(other)) == "invalid"


def test_kids() -> None:
    """A `kid` that the set lacks says nothing; a token or a key without one is tried with all."""
    verifier = bound(*keys(jwk("RS256"), jwk("ES256", "k2")))
    assert verifier.check(signed("RS256", kid="gone")) is None
    assert verifier.check(signed("RS256", kid=None)) == "valid"
    assert verifier.check(signed("RS256", kid="k2")) == "invalid"
    assert bound(*keys(jwk("RS256", None))).check(signed("RS256", kid="any")) == "valid"


def test_issuers() -> None:
    """Keys are those of an issuer; a token of another, or of none, is not judged by them."""
    verifier = bound(*keys(jwk("RS256")))
    assert verifier.check(signed("RS256", {**CLAIMS, "iss": "https://other.test/"})) is None
    for issuer in (None, 5, [], {}):
        assert verifier.check(token_of(jws({**CLAIMS, "iss": issuer}))) is None


def test_loose_keys() -> None:
    """A key of no issuer makes any token valid that it signed; invalid only one that names its
    `kid`.
    """
    verifier = Verifier({}, keys(jwk("RS256")))
    assert verifier.check(signed("RS256", {"iss": "anyone"})) == "valid"
    assert verifier.check(signed("RS256", kid=None)) == "valid"
    assert verifier.check(signed("RS256", key=OTHER_RSA)) == "invalid"
    assert verifier.check(signed("RS256", key=OTHER_RSA, kid="x")) is None
    assert (
        Verifier({CLAIMS["iss"]: [FixedKeys(keys(jwk("ES256")))]}, keys(jwk("RS256"))).check(
            signed("RS256")
        )
        == "valid"
    )


def test_secrets() -> None:
    """An HMAC secret of an issuer makes valid and invalid; it stands in no `repr`."""
    verifier = bound(secret_key(SECRET))
    assert verifier.check(signed("HS256")) == "valid"
    assert verifier.check(signed("HS256", key=b"x" * 64)) == "invalid"
    assert "secret" not in repr(secret_key(SECRET))


UNVERIFIABLE = [
    unsecured(),
    jwe(),
    detached(),
    jws()[:-5],
    jws(head='{"alg":"XX1"}'),
    jws(head='{"alg":"HS256","b64":false}'),
]


@pytest.mark.parametrize("text", UNVERIFIABLE)
def test_what_cannot_be_verified(text: str) -> None:
    """Nothing is said of a token without a signature of its own, or with one that is not known."""
    assert bound(secret_key(SECRET)).check(token_of(text)) is None


def test_keys_of_the_token_are_not_used() -> None:
    """A `jwk`, `jku` or `x5u` in the header brings no key."""
    own = OTHER_RSA.public_key()
    made = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(own))
    for extra in ({"jwk": made}, {"jku": "https://evil.test/k"}, {"x5u": "https://evil.test/c"}):
        token = token_of(jwt.encode(CLAIMS, OTHER_RSA, "RS256", {"kid": "k1", **extra}))
        assert bound(*keys(jwk("RS256"))).check(token) == "invalid"


def test_no_keys() -> None:
    """Where the keys of an issuer could not be had, signatures stay unchecked."""

    class Nothing:
        def keys(self, kid: str | None) -> None:
            """No keys."""

    assert Verifier({CLAIMS["iss"]: [Nothing()]}).check(signed("RS256")) is None
    assert bound().check(signed("RS256")) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "not a JWK set"), (b'{"keys":5}', "not a JWK set"),  # noqa: E501
        (b'{"keys":["a"]}', "not a JWK set"), (b'{"keys":[{"kty":"XX"}]}', "no key"), (b'{"kty":"oct"}', "no key"),  # noqa: E501
        (b'{"keys":[' + b",".join([b"{}"] * 300) + b"]}", "more than"), (b"[" * 100_000, "not JSON"),  # noqa: E501
        (b'{"keys":[{"kty":"RSA","n":"AQAB","e":"!"}]}', "no key"),
    ],
)  # fmt: skip
def test_broken_key_sets(data: bytes, problem: str) -> None:
    """What is no set of usable keys is refused, without a word of it in the error."""
    with pytest.raises(ValueError, match=problem):
        parse_jwks(data)


def test_usable_keys_of_a_mixed_set() -> None:
    """Keys for encryption, of unknown types or broken are left out; one JWK alone is a set; an
    empty set is one too.
    """
    mixed = keys(
        jwk("RS256"),
        {"kty": "RSA", "use": "enc"},
        {"kty": "new"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    )
    assert [key.kid for key in mixed] == ["k1"]
    assert len(parse_jwks(json.dumps(jwk("ES256")).encode())) == 1
    assert keys() == ()


# --- vectors of the standards: published keys and tokens

RFC7515_A3 = (
    {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},  # noqa: E501
    b64('{"alg":"ES256"}'), b64('{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'),
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
)  # fmt: skip
RFC8037_A4 = (
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    b64('{"alg":"EdDSA"}'), b64("Example of Ed25519 signing"),
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
)  # fmt: skip
FRODO = (
    "It\u2019s a dangerous business, Frodo, going out your door. You step onto the road, and if you don't keep your feet, "  # noqa: E501
    "there\u2019s no knowing where you might be swept off to."
)
RFC7520_4_4 = (
    {"kty": "oct", "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037", "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"},  # noqa: E501
    b64('{"alg":"HS256","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037"}'), b64(FRODO), "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",  # noqa: E501
)  # fmt: skip


@pytest.mark.parametrize(
    "vector",
    [RFC7515_A3, RFC8037_A4, RFC7520_4_4],
    ids=["RFC 7515 A.3", "RFC 8037 A.4", "RFC 7520 4.4"],
)
def test_rfc_vectors(vector: tuple[dict[str, str], str, str, str]) -> None:
    """The standards' own tokens are valid with their keys; with one bit changed they are not."""
    key, head, body, signature = vector
    verifier = Verifier({}, keys({**key, "kid": key.get("kid", "v")}))
    assert verifier.check(token_of(f"{head}.{body}.{signature}")) == "valid"
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    assert verifier.check(token_of(f"{head}.{body}.{b64(bytes(raw))}")) in ("invalid", None)


def test_verdicts_reach_the_alert() -> None:
    """A valid signature weighs one step more, an invalid one at most low and less certain; both say
    why.
    """
    from jwtleak.alerts.builder import AlertContext, Builder
    from jwtleak.assess.assessor import AssessmentTables
    from jwtleak.types import StreamInfo

    known = AssessmentTables(verifier=bound(*keys(jwk("RS256"))))
    builder = Builder(StreamInfo("stdin"), AlertContext(NOW, None, b"k", load_tables=lambda: known))
    said = []
    for key in (RSA, OTHER_RSA):
        (finding,) = jwtleak.scan(
            f"token {jwt.encode(CLAIMS, key, 'RS256', {'kid': 'k1'})} x\n".encode()
        )
        alert = builder.build(finding, "0" * 40)
        said.append((alert.token.signature, alert.severity, alert.confidence, alert.reasons[-1]))
    assert said == [
        ("valid", "critical", "high", "signature_valid"),
        ("invalid", "low", "medium", "signature_invalid"),
    ]


def test_an_error_in_the_algorithm_is_no_valid_signature() -> None:
    """Where PyJWT raises for a key, that key did not make the signature, and the scan goes on."""
    broken = VerificationKey("k1", None, "RSA", None, object())
    assert bound(broken).check(signed("RS256")) == "invalid"
    assert bound(broken, *keys(jwk("RS256"))).check(signed("RS256")) == "valid"


def test_parts_show_nothing() -> None:
    """`repr` of the parts of a token has neither its bytes nor its signature."""
    assert repr(_parts(signed("RS256"))) == "_Parts(***)"
