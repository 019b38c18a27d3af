"""Keys that are kept and refreshed: never waited for, once per interval, never from a token."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from minting import CLAIMS
from tls_server import body, certificate, serve

from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.errors import SourceError, UsageError
from jwtleak.key_files import SecretSource
from jwtleak.runtime.issuer_keys import (
    STALE,
    RemoteKeys,
    VerifySettings,
    fixed_verifier,
    live_verifier,
    prime,
    remotes,
)
from jwtleak.typed_toml import convert
from jwtleak.types import Token

KEY = ec.generate_private_key(ec.SECP256R1())
URL = "https://idp.test/keys"


def jwks(*kids: str) -> bytes:
    """A key set with KEY under each name."""
    made = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key()))
    return json.dumps({"keys": [{**made, "kid": kid} for kid in kids]}).encode()


def token(kid: str = "k1", key: Any = KEY, alg: str = "ES256") -> Token:
    """A token of the issuer of minted tokens."""
    text = jwt.encode(CLAIMS, key, alg, {"kid": kid})
    found = Matcher().at(text.encode(), 0, len(text))
    assert isinstance(found, TokenMatch)
    return found.token


class World:
    """A clock that stands still, a server that counts, and what was warned of."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.answers: list[bytes | Exception] = []
        self.asked: list[str] = []
        self.warned: list[str] = []

    def fetch(self, url: str) -> bytes:
        """The next answer; the last one again and again."""
        self.asked.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def remote(self, expiry: float = 3600.0, interval: float = 300.0) -> RemoteKeys:
        """Keys behind URL in this world."""
        return RemoteKeys(
            URL,
            self.fetch,
            expiry=expiry,
            interval=interval,
            clock=lambda: self.now,
            warn=self.warned.append,
        )


def settled(remote: RemoteKeys, kid: str | None = None) -> list[str | None] | None:
    """The names of the keys, once a fetch that asking for `kid` began has ended."""
    remote.keys(kid)
    thread = remote._thread
    if thread is not None:
        thread.join(5)
    found = remote.keys(None)
    return None if found is None else [key.kid for key in found]


def test_keys_are_fetched_once_and_kept() -> None:
    """The first ask begins a fetch and has no keys; later ones have them, until they expire."""
    world = World()
    world.answers = [jwks("k1"), jwks("k2")]
    remote = world.remote()
    assert settled(remote) == ["k1"]
    for _ in range(5):
        assert settled(remote, "k1") == ["k1"]
    assert world.asked == [URL]
    world.now += 3600
    assert settled(remote) == ["k2"]
    assert len(world.asked) == 2


def test_an_unknown_kid_is_looked_for_once_per_interval() -> None:
    """However many tokens name keys that are not there, there is one fetch in an interval."""
    world = World()
    world.answers = [jwks("k1")]
    remote = world.remote()
    settled(remote)
    world.now += 299
    for number in range(100):
        settled(remote, f"unknown-{number}")
    assert len(world.asked) == 1
    world.now += 1
    world.answers = [jwks("k1", "k2")]
    assert settled(remote, "k2") == ["k1", "k2"]
    for number in range(100):
        settled(remote, f"unknown-{number}")
    assert len(world.asked) == 2


def test_asking_does_not_wait() -> None:
    """While a fetch hangs, asking gives what is there at once, and begins no other."""
    world, gate, began = World(), threading.Event(), threading.Event()
    world.answers = [jwks("k1")]
    remote = world.remote(expiry=10, interval=10)
    settled(remote)
    fetch = remote._fetch

    def hang(url: str) -> bytes:
        began.set()
        gate.wait(5)
        return fetch(url)

    remote._fetch = hang
    world.now += 100
    assert [key.kid for key in remote.keys(None) or ()] == ["k1"]
    assert began.wait(5)
    world.now += 100
    assert [key.kid for key in remote.keys("x") or ()] == ["k1"]
    gate.set()
    settled(remote)
    assert len(world.asked) == 2


@pytest.mark.parametrize(
    "trouble", [SourceError(URL, "answered with status 500"), b"<html>", b"{}"]
)
def test_failures(trouble: bytes | Exception) -> None:
    """A failure leaves no keys, or the old ones for a while; it is reported once, and tried again
    after the interval.
    """
    world = World()
    world.answers = [trouble]
    remote = world.remote()
    for _ in range(5):
        assert settled(remote) is None
    assert (len(world.asked), len(world.warned)) == (1, 1)
    assert "stay unchecked" in world.warned[0]
    world.now += 300
    assert settled(remote) is None
    assert (len(world.asked), len(world.warned)) == (2, 1)
    world.answers = [jwks("k1"), trouble]
    world.now += 300
    assert settled(remote) == ["k1"]
    world.now += 4000
    assert settled(remote) == ["k1"]
    assert len(world.warned) == 2
    world.now += STALE
    assert remote.keys(None) is None
    remote._thread and remote._thread.join(5)


def test_the_set_as_it_was_fetched() -> None:
    """The last good answer can be handed on."""
    world = World()
    world.answers = [jwks("k1"), b"broken"]
    remote = world.remote()
    assert remote.fetched() is None
    settled(remote)
    world.now += 4000
    settled(remote)
    assert [key.kid for key in remote.fetched() or ()] == ["k1"]


def settings(**more: Any) -> VerifySettings:
    """`[verify]` as the configuration would give it."""
    return convert(more, VerifySettings, "jwtleak.toml")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"issuers": {"a": "http://idp.test/k"}}, "not an https URL"),
        ({"issuers": {"a": "https://u:p@idp.test/k"}}, "user or password"),
        ({"issuers": ["a"]}, "issuers"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 999.0}, "timeout"),
        ({"interval": 1}, "interval"),
        ({"expiry": 100, "interval": 300}, "expiry"),
        ({"secret": [{"issuer": "a"}]}, "one of file and env"),
        ({"sercet": []}, "sercet"),
    ],
)
def test_broken_settings(table: dict[str, Any], says: str) -> None:
    """What cannot be right is said before anything is fetched."""
    with pytest.raises(UsageError, match=says):
        settings(**table)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's certificate."""
    return certificate(tmp_path_factory.mktemp("tls"))


def test_a_scan_fetches_before_it_begins(pem: Path) -> None:
    """Each URL once, whatever the number of issuers; the verifier then needs no connection."""
    warned: list[str] = []
    with serve(body(jwks("k1")), pem) as server:
        asked = settings(
            issuers={CLAIMS["iss"]: server.url, "https://b.test": server.url}, ca_file=str(pem)
        )
        verifier = fixed_verifier(asked, (), warned.append)
        assert server.connections == 1
    assert verifier.check(token()) == "valid"
    assert verifier.check(token("k9")) is None
    assert verifier.check(token(key=ec.generate_private_key(ec.SECP256R1()))) == "invalid"
    assert warned == []


@pytest.mark.parametrize("live", [False, True])
def test_a_server_that_fails_does_not_stop_the_work(pem: Path, live: bool) -> None:
    """Slow, huge, redirecting: a warning, and signatures that stay unchecked."""
    gone = threading.Event()
    answers: list[Callable[..., object]] = [
        lambda client: gone.wait(5),
        body(b"x" * 600_000),
        body(b"", "302 Found", "Location: https://127.0.0.1:1/"),
        body(b"{}"),
    ]
    for answer in answers:
        warned: list[str] = []
        gone.clear()
        with serve(answer, pem) as server:  # type: ignore[arg-type]
            asked = settings(issuers={CLAIMS["iss"]: server.url}, ca_file=str(pem), timeout=0.3)
            warn = warned.append
            verifier = (live_verifier if live else fixed_verifier)(asked, (), warn)
            gone.set()
        assert verifier.check(token()) is None
        assert any("unchecked" in one for one in warned)


def test_a_live_verifier(pem: Path) -> None:
    """A program that runs on has the keys from the start."""
    with serve(body(jwks("k1")), pem) as server:
        verifier = live_verifier(
            settings(issuers={CLAIMS["iss"]: server.url}, ca_file=str(pem)), (), pytest.fail
        )
    assert verifier.check(token()) == "valid"


def test_priming_is_bounded() -> None:
    """Waiting for key sets ends with its time, however many hang."""
    world, gate = World(), threading.Event()
    world.answers = [jwks("k1")]
    hanging = [
        RemoteKeys(
            URL, lambda _: gate.wait(5) and b"", expiry=60, interval=60, warn=world.warned.append
        )
        for _ in range(3)
    ]
    prime(hanging, 0.05)
    assert [one.fetched() for one in hanging] == [None] * 3
    gate.set()
    for one in hanging:
        thread = one._thread
        if thread is not None:
            thread.join(5)


def test_issuers_share_a_url() -> None:
    """Two issuers with one URL are one source."""
    sources = remotes(settings(issuers={"a": URL, "b": URL, "c": URL + "2"}), lambda _: None)
    assert (sources["a"] is sources["b"], sources["a"] is sources["c"]) == (True, False)


def test_files_and_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys from a file belong to no issuer; a secret belongs to its own."""
    (tmp_path / "keys.json").write_bytes(jwks("k1"))
    monkeypatch.setenv("THE_SECRET", "a secret that is long enough for HS256")
    secret = SecretSource(issuer=CLAIMS["iss"], env="THE_SECRET")
    asked = VerifySettings(secret=(secret,))
    verifier = fixed_verifier(asked, (str(tmp_path),), pytest.fail)
    assert (
        verifier.check(token(key=b"a secret that is long enough for HS256", alg="HS256")) == "valid"
    )
    assert (
        verifier.check(token(key=b"another secret that is long enough!!", alg="HS256")) == "invalid"
    )
    assert verifier.check(token()) == "valid"
    (tmp_path / "broken.json").write_bytes(b"{")
    with pytest.raises(UsageError, match=r"broken\.json: is not JSON"):
        fixed_verifier(asked, (str(tmp_path),), pytest.fail)
    assert VerifySettings().empty
