"""Keys for verifying signatures: fetched, kept for a while, fetched anew; and put together for one
process.

Promises: asking for keys never waits for the network and never raises; a key set is fetched at most
once per interval, whatever tokens ask for; what cannot be fetched leaves signatures unchecked and
is told once. Refuses to follow anything that a token says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from jwtleak.assess.signatures import (
    FixedKeys,
    KeysOf,
    VerificationKey,
    Verifier,
    parse_jwks,
    secret_key,
)
from jwtleak.errors import SourceError, UsageError
from jwtleak.key_files import SecretSource, checked_url, fetch, read_key_files, read_secret

# Keys that could not be fetched anew are used this long: an identity provider that is down for a
# night signs nothing new.
STALE = 86400.0

Fetch = Callable[[str], bytes]


class VerifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[verify]`: `issuers` maps an issuer, exactly as `iss` names it, to the URL of its keys.
    `expiry` and `interval` in seconds: how long keys are kept, and how long to wait before they are
    fetched again for an unknown `kid` or after an error.
    """

    issuers: dict[str, str] = {}
    secret: tuple[SecretSource, ...] = ()
    ca_file: str | None = None
    timeout: float = 5.0
    expiry: float = 3600.0
    interval: float = 300.0

    def __post_init__(self) -> None:
        for issuer, url in self.issuers.items():
            try:
                checked_url(url)
            except ValueError as error:
                raise ValueError(f"issuers: {issuer!r}: the URL of its keys {error}") from None
        if not 0 < self.timeout <= 60:
            raise ValueError("timeout: must be more than 0 and at most 60 seconds")
        if self.interval < 10 or self.expiry < self.interval:
            raise ValueError("interval: must be at least 10 seconds, and expiry at least as long")

    @property
    def empty(self) -> bool:
        """Whether nothing is to be verified."""
        return not (self.issuers or self.secret)


class Remote:
    """The keys behind one URL. Fetching happens in a thread of its own, one at a time."""

    def __init__(
        self, url: str, fetch: Fetch, *, expiry: float, interval: float, clock: Callable[[], float] = time.monotonic,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._url = url
        self._fetch = fetch
        self._expiry = expiry
        self._interval = interval
        self._clock = clock
        self._warn = warn
        self._lock = threading.Lock()
        self._keys: tuple[VerificationKey, ...] | None = None
        self._fetched = self._next = float("-inf")
        self._thread: threading.Thread | None = None
        self._told = ""

    def keys(self, kid: str | None) -> Sequence[VerificationKey] | None:
        """The keys as they are now; a fetch begins if they are old or lack `kid`."""
        with self._lock:
            now, keys = self._clock(), self._keys
            if keys is not None and now - self._fetched > self._expiry + STALE:
                keys = self._keys = None
            unknown = keys is not None and kid is not None and all(key.kid != kid for key in keys)
            if keys is None or unknown or now - self._fetched >= self._expiry:
                self._begin(now)
        return keys

    def begin(self) -> threading.Thread | None:
        """Fetch the keys, unless that happens already or did within the interval; gives the thread."""
        with self._lock:
            self._begin(self._clock())
            return self._thread

    def fetched(self) -> tuple[VerificationKey, ...] | None:
        """The keys as they were fetched last; never begins a fetch."""
        with self._lock:
            return self._keys

    def _begin(self, now: float) -> None:
        if self._thread is None and now >= self._next:
            self._next = now + self._interval
            # A daemon: a server that never ends its answer must not keep the program from ending.
            self._thread = threading.Thread(target=self._refresh, name="jwks", daemon=True)
            self._thread.start()

    def _refresh(self) -> None:
        trouble, keys = "", None
        try:
            keys = parse_jwks(self._fetch(self._url))
        except SourceError as error:
            trouble = str(error)
        except ValueError as error:
            trouble = f"{self._url}: {error}"
        with self._lock:
            self._thread = None
            if keys is not None:
                self._keys, self._fetched = keys, self._clock()
            told, self._told = self._told, trouble
        if trouble and trouble != told:
            self._warn(f"keys of an issuer: {trouble}: its signatures stay unchecked")


def remotes(settings: VerifySettings, warn: Callable[[str], None]) -> dict[str, Remote]:
    """The keys of each configured issuer, not yet fetched."""

    def get(url: str) -> bytes:
        return fetch(url, timeout=settings.timeout, ca_file=settings.ca_file)

    by_url = {
        url: Remote(url, get, expiry=settings.expiry, interval=settings.interval, warn=warn)
        for url in set(settings.issuers.values())
    }
    return {issuer: by_url[url] for issuer, url in settings.issuers.items()}


def prime(keys: Iterable[Remote], timeout: float) -> None:
    """Fetch all of them at once, and wait no longer than `timeout` seconds together."""
    deadline = time.monotonic() + timeout
    for thread in [one.begin() for one in dict.fromkeys(keys)]:
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))


def fixed_verifier(
    settings: VerifySettings, jwks: Sequence[str], warn: Callable[[str], None]
) -> Verifier:
    """For a scan: every key set is fetched once, before the work begins. Raises UsageError for what
    cannot be read.
    """
    sources = remotes(settings, warn)
    prime(sources.values(), settings.timeout + 1)
    fixed: dict[str, KeysOf] = {}
    for issuer, remote in sources.items():
        keys = remote.fetched()
        if keys is None:
            warn(f"keys of {issuer}: not there in time: its signatures stay unchecked")
        # Not the remote itself: its lock and its thread do not survive the fork of a worker.
        fixed[issuer] = FixedKeys(keys or ())
    return _verifier(fixed, jwks, settings.secret)


def live_verifier(
    settings: VerifySettings, jwks: Sequence[str], warn: Callable[[str], None]
) -> Verifier:
    """For a program that runs on: keys are fetched now and, as they grow old, anew; nothing waits
    for them but this call.
    """
    sources = remotes(settings, warn)
    prime(sources.values(), settings.timeout + 1)
    return _verifier(sources, jwks, settings.secret)


def _verifier(
    issuers: dict[str, KeysOf] | dict[str, Remote],
    jwks: Sequence[str],
    secrets: Sequence[SecretSource],
) -> Verifier:
    bound: dict[str, list[KeysOf]] = {issuer: [keys] for issuer, keys in issuers.items()}
    loose: list[VerificationKey] = []
    for path in jwks:
        for name, data in read_key_files(Path(path)):
            try:
                loose += parse_jwks(data)
            except ValueError as error:
                raise UsageError(f"{name}: {error}") from None
    for source in secrets:
        key = secret_key(read_secret(source))
        if source.issuer is None:
            loose.append(key)
        else:
            bound.setdefault(source.issuer, []).append(FixedKeys((key,)))
    return Verifier(bound, loose)
