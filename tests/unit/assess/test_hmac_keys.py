"""Keys that anyone has: published ones and word lists. Tokens are minted with them here."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from minting import CLAIMS, NOW, b64, detached, jwe, jws, sha256, unsecured

import jwtleak
from jwtleak.assess.hmac_keys import (
    TRIED_FIRST,
    Example,
    Keys,
    PublishedKey,
    Signed,
    Signers,
    WeakKeys,
)
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.patterns.tables import load_keys
from jwtleak.types import Token

KEYS, EXAMPLES = load_keys()
DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def signed(key: bytes, claims: dict[str, Any], alg: str = "HS256", **header: Any) -> str:
    """A token that `key` signed."""
    text = f"{b64({'alg': alg, 'typ': 'JWT', **header})}.{b64(claims)}"
    return f"{text}.{b64(hmac.digest(key, text.encode(), DIGESTS[alg]))}"


def token_of(text: str) -> Token:
    """What the judge makes of it."""
    found = Matcher().at(text.encode(), 0, len(text))
    assert isinstance(found, TokenMatch)
    return found.token


def alert_of(text: str, now: float = NOW) -> jwtleak.api.Alert:
    """The alert for a token in a query."""
    (finding,) = jwtleak.scan(f"GET /?t={text} x\n".encode())
    return jwtleak.alert(finding, now=now, key=b"k" * 32)


def test_enough_keys() -> None:
    """At least 20 published keys, each once, each with the place of its publication."""
    assert len(KEYS) >= 20
    assert len({one.secret() for one in KEYS}) == len(KEYS)
    assert all(one.reference for one in KEYS)


@pytest.mark.parametrize("alg", DIGESTS)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.id)
def test_each_published_key(key: PublishedKey, alg: str) -> None:
    """A token that a published key signed for a system is critical, live or expired; its look-alike
    is not.
    """
    claims = {**CLAIMS, "jti": key.id}
    alert = alert_of(signed(key.secret(), claims, alg), now=NOW + 10**7)
    assert (alert.token.signature, alert.severity, alert.confidence) == (
        "published_key",
        "critical",
        "high",
    )
    assert alert.token.status == "expired"
    assert "published_key" in alert.reasons
    assert "published_key" in alert.token.weaknesses
    other = alert_of(signed(key.secret() + b"x", claims, alg))
    assert (other.token.signature, other.reasons) == ("unchecked", ("live", "spreads"))


def test_jwt_io_example() -> None:
    """The token of jwt.io is an example; the same claims signed with another published key, or any
    key, are not.
    """
    claims = json.loads('{"sub":"1234567890","name":"John Doe","iat":1516239022}')
    head = {"alg": "HS256", "typ": "JWT"}
    example = signed(b"your-256-bit-secret", claims)
    assert b64(head) == example.partition(".")[0]
    assert (alert_of(example).severity, alert_of(example).token.signature) == (
        "info",
        "published_key",
    )
    assert alert_of(example).reasons[-1] == "known_example"
    assert alert_of(signed(b"secret", claims)).severity == "critical"
    own = alert_of(signed(b"an own key of some system, with the claims of the example", claims))
    assert (own.token.signature, "known_example" in own.reasons) == ("unchecked", False)


def test_supabase_demo_keys() -> None:
    """The local stack's demo keys are examples; a key that a real project minted with that secret
    is critical.
    """
    secret = b"super-secret-jwt-token-with-at-least-32-characters-long"
    demo = {"iss": "supabase-demo", "role": "service_role", "exp": 1983812996}
    assert alert_of(signed(secret, demo)).severity == "info"
    assert alert_of(signed(secret, {**demo, "iss": "supabase"})).severity == "critical"


def test_rfc_7515_example() -> None:
    """RFC 7515 appendix A.1: header and payload with line breaks, a key of bytes."""
    head, body = (
        '{"typ":"JWT",\r\n "alg":"HS256"}',
        '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}',
    )
    key = next(one for one in KEYS if one.id == "rfc7515-a1").secret()
    text = f"{b64(head)}.{b64(body)}"
    alert = alert_of(f"{text}.{b64(hmac.digest(key, text.encode(), 'sha256'))}")
    assert (alert.token.signature, alert.severity, alert.title) == (
        "published_key",
        "info",
        "Example JWT in a URL query parameter",
    )


def test_examples_are_fingerprints() -> None:
    """Examples are known by SHA-256 alone, and only the very token counts."""
    token = jws()
    keys = Keys((), [Example(where="a page", sha256=(sha256(token),))])
    assert keys.is_example(sha256(token))
    assert not keys.is_example(sha256(token + "A"))
    assert sum(len(one.sha256) for one in EXAMPLES) >= 115


@pytest.mark.parametrize(
    "text",
    [
        jws(alg="RS256"),
        unsecured(),
        detached(),
        jwe(),
        jws()[:-9],
        jws(head='{"alg":"HS999"}'),
        jws(head='{"alg":"hs256"}'),
    ],
)
def test_what_has_no_hmac(text: str) -> None:
    """Only whole HS256, HS384 and HS512 signatures can be recomputed."""
    assert not Signed(token_of(text))


def test_sd_jwt_and_padding() -> None:
    """What is signed ends before the disclosures, and padding is not part of the digest."""
    token = signed(b"secret", CLAIMS)
    assert Signed(token_of(token + "~" + b64('["s","n","v"]') + "~")).by(b"secret")
    assert Signed(token_of(token + "=")).by(b"secret")
    assert not Signed(token_of(token)).by(b"secre")


@pytest.mark.parametrize(
    "entry", [{}, {"key": "a", "base64": "YQ"}, {"base64": "!"}, {"base64": "A"}]
)
def test_broken_keys(entry: dict[str, str]) -> None:
    """A key is text or base64, one of both."""
    with pytest.raises(ValueError, match=r"base64"):
        PublishedKey(id="a", reference="b", **entry).secret()


def test_long_rows_of_one_signer_are_sampled() -> None:
    """The first tokens of a signer are all tried; of a long row without a published key only some,
    and a hit ends that.
    """
    signers = Signers(Keys([PublishedKey(id="a", reference="b", key="secret")]))
    row = [token_of(signed(b"another", {"n": n})) for n in range(TRIED_FIRST)]
    assert not any(map(signers.published, row))
    found = [signers.published(token_of(signed(b"secret", {"n": n}))) for n in range(100)]
    assert True in found
    assert all(found[found.index(True) :])
    assert found.index(True) < 40
    assert signers.published(token_of(signed(b"secret", {"other": 1})))


def test_signers_are_bounded() -> None:
    """Signers that an attacker varies are not kept for ever."""
    signers = Signers(Keys([PublishedKey(id="a", reference="b", key="secret")]))
    for number in range(3000):
        signers.published(token_of(jws({"iss": str(number)})))
    assert len(signers._signers) <= 1024


def ticking(step: float) -> Iterator[float]:
    """A clock that goes on by `step` each time it is asked."""
    now = 0.0
    while True:
        yield now
        now += step


def test_word_list() -> None:
    """A word of the list that signed a token is found, whatever ends its line; the list is tried
    once for each token.
    """
    weak = WeakKeys(b"one\r\ntwo\n\nthree\ntwo\n" + b"x" * 600, lambda: 0.0, 1.0)
    assert len(weak) == 3
    token = signed(b"three", CLAIMS)
    assert weak.made(token_of(token), sha256(token))
    other = signed(b"four", CLAIMS)
    assert not weak.made(token_of(other), sha256(other))
    weak._words.clear()
    assert weak.made(token_of(token), sha256(token))
    assert weak.untried == 0


def test_the_time_for_words_is_bounded() -> None:
    """Where trying takes more than its share, tokens are left untried and counted; without a limit
    all are tried.
    """
    words = b"\n".join(b"w%d" % n for n in range(20_000))
    hurry, patience = ticking(1.0), ticking(1.0)
    hurried = WeakKeys(words, lambda: next(hurry), 0.1)
    patient = WeakKeys(words, lambda: next(patience), 0.0)
    tokens = [signed(b"w19999", {"n": n}) for n in range(4)]
    assert [patient.made(token_of(one), sha256(one)) for one in tokens] == [True] * 4
    assert not any(hurried.made(token_of(one), sha256(one)) for one in tokens)
    assert (patient.untried, hurried.untried) == (0, 4)


def test_no_key_is_shown() -> None:
    """Neither the alert nor `repr` shows a key of the list."""
    token = signed(b"hunter2hunter2", CLAIMS)
    weak = WeakKeys(b"hunter2hunter2", lambda: 0.0, 1.0)
    assert "hunter2" not in repr(weak)
    assert "hunter2" not in repr(Signed(token_of(token)))
    assert "secret" not in repr(Keys([PublishedKey(id="a", reference="b", key="secret")]))


def test_a_token_without_signed_parts_matches_no_key() -> None:
    """A detached token names an HMAC algorithm, but the log does not hold the bytes that it signs:
    neither a published key nor a word made it.
    """
    text = detached("HS256")
    signers = Signers(Keys([PublishedKey(id="a", reference="b", key="secret")]))
    assert not signers.published(token_of(text))
    weak = WeakKeys(b"secret", lambda: 0.0, 0.0)
    assert not weak.made(token_of(text), sha256(text))
    assert weak.untried == 0


def test_results_of_words_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of results is cleared when it is full, and every answer stays the same."""
    monkeypatch.setattr("jwtleak.assess.hmac_keys._RESULTS", 2)
    weak = WeakKeys(b"secret", lambda: 0.0, 0.0)
    tokens = [signed(b"secret" if n % 2 else b"another", {"n": n}) for n in range(6)]
    for _ in range(2):
        answers = [weak.made(token_of(token), sha256(token)) for token in tokens]
        assert answers == [False, True] * 3
        assert len(weak._results) <= 2
