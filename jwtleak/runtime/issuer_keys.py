"""Keys for verifying signatures: fetched, kept, refreshed, and combined into one verifier.

Promises: asking for keys never waits for the network and never raises; a key set is fetched at most
once per interval, whatever tokens ask for; a failed fetch leaves signatures unchecked and is
reported once. Refuses to open anything that a token names.
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

# Seconds for which keys are used after their expiry while they cannot be refreshed: an identity
# provider that is down for a night signs nothing new.
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
        """Whether no keys are configured."""
        return not (self.issuers or self.secret)


class RemoteKeys:
    """The keys behind one URL. They are fetched in a thread of its own, one fetch at a time. All
    times in seconds.
    """

    def __init__(
        self,
        url: str,
        fetch: Fetch,
        *,
        expiry: float,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
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
        self._reported = ""

    def keys(self, kid: str | None) -> Sequence[VerificationKey] | None:
        """The current keys, or None; begins a fetch if they are old or lack `kid`."""
        with self._lock:
            now, keys = self._clock(), self._keys
            # After a day without an answer the issuer may have revoked a key that leaked: better
            # unchecked than wrongly valid.
            if keys is not None and now - self._fetched > self._expiry + STALE:
                keys = self._keys = None
            # The issuer may have rotated its keys. An attacker can invent any number of `kid`:
            # `_begin` keeps the interval between two fetches.
            unknown = keys is not None and kid is not None and all(key.kid != kid for key in keys)
            if keys is None or unknown or now - self._fetched >= self._expiry:
                self._begin(now)
        return keys

    def begin(self) -> threading.Thread | None:
        """Begin a fetch, unless one runs or ran within the interval. Returns the thread, if any."""
        with self._lock:
            self._begin(self._clock())
            return self._thread

    def fetched(self) -> tuple[VerificationKey, ...] | None:
        """The keys of the last fetch; never begins one."""
        with self._lock:
            return self._keys

    def _begin(self, now: float) -> None:
        if self._thread is None and now >= self._next:
            # Set before the fetch ends, so that a failure waits for the interval too.
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
            # A failed fetch leaves the old keys: they serve until STALE.
            if keys is not None:
                self._keys, self._fetched = keys, self._clock()
            before, self._reported = self._reported, trouble
        # Outside the lock: `warn` may write to a slow terminal while others ask for keys.
        if trouble and trouble != before:
            self._warn(f"keys of an issuer: {trouble}: its signatures stay unchecked")


def remotes(settings: VerifySettings, warn: Callable[[str], None]) -> dict[str, RemoteKeys]:
    """The keys of each configured issuer, not yet fetched."""

    def get(url: str) -> bytes:
        return fetch(url, timeout=settings.timeout, ca_file=settings.ca_file)

    # Several issuers may share a URL (tenants of one provider): it is fetched once.
    by_url = {
        url: RemoteKeys(url, get, expiry=settings.expiry, interval=settings.interval, warn=warn)
        for url in set(settings.issuers.values())
    }
    return {issuer: by_url[url] for issuer, url in settings.issuers.items()}


def prime(keys: Iterable[RemoteKeys], timeout: float) -> None:
    """Fetch all keys at once, and wait at most `timeout` seconds for all of them together."""
    deadline = time.monotonic() + timeout
    for thread in [remote.begin() for remote in dict.fromkeys(keys)]:
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))


def fixed_verifier(
    settings: VerifySettings, jwks: Sequence[str], warn: Callable[[str], None]
) -> Verifier:
    """For a scan: every key set is fetched once, before the work begins. Raises UsageError for
    files that cannot be read.
    """
    sources = remotes(settings, warn)
    # A second more than one fetch may take: all of them run at once.
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
    """For a daemon: keys are fetched now, and refreshed when they expire. Only this call waits for
    them.
    """
    sources = remotes(settings, warn)
    prime(sources.values(), settings.timeout + 1)
    return _verifier(sources, jwks, settings.secret)


def _verifier(
    issuers: dict[str, KeysOf] | dict[str, RemoteKeys],
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
        # Without an issuer nobody knows which tokens the key should have signed: it can confirm a
        # signature, not refute one.
        if source.issuer is None:
            loose.append(key)
        else:
            bound.setdefault(source.issuer, []).append(FixedKeys((key,)))
    return Verifier(bound, loose)
