"""The one HTTP client of all sinks.

Promises: redirects are not followed (a credential would go with them), proxies of the environment
and netrc are ignored, TLS is 1.2 or newer, a reply is read up to a bound and not decompressed.
Every failure is a value. Whether a failure passes is decided by the status alone (RFC 9110 section
15): a status about the address, the credentials or the configuration keeps the alerts until
somebody acts; a status about the content makes dead letters.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
from msgspec import UNSET

from jwtleak.errors import UsageError
from jwtleak.sinks import tls
from jwtleak.sinks.credential import credential, refuse_in_the_clear
from jwtleak.sinks.interface import Problem, Report, failed
from jwtleak.sinks.reason import safe
from jwtleak.sinks.settings import SinkSettings
from jwtleak.version import __version__

# 408 request timeout, 425 too early, 429 too many requests, and the statuses of proxies whose
# upstream is away.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529})
# 401 and 403 credentials; 404, 405, 410, 421, 426, 501 and 505 the address; 407 and 511 a proxy.
_BLOCKED = frozenset({401, 403, 404, 405, 407, 410, 421, 426, 451, 501, 505, 511})
# OTLP/HTTP lists the statuses after which a batch may be sent again ("Retryable Response Codes").
_OTLP_BUSY = frozenset({429, 502, 503, 504})


def problem_of(status: int, *, otlp: bool = False) -> Problem | None:
    """What a status means for the batch; None for success. A redirect is a wrong address."""
    if 200 <= status < 300:
        return None
    if status == 413:
        return "too_large"
    if status in _BLOCKED or status < 400:
        return "blocked"
    busy = status in _OTLP_BUSY if otlp else status in _BUSY or status >= 500
    return "busy" if busy else "poison"


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or a date, RFC 9110 section 10.2.3); None where it
    is absent or malformed. `now` in Unix seconds.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])  # nine digits are thirty years
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


# httpx logs each request with its URL, which of some webhooks is the credential.
logging.getLogger("httpx").setLevel(logging.WARNING)

USES = tls.USES | {"token_env", "token_file", "token_credential", "proxy", "timeout"}

# Seconds. Servers that flush each batch to disk answer within seconds; Standard Webhooks advises 15
# to 30.
TIMEOUT = 20.0
CONNECT_TIMEOUT = 10.0
# Bytes. A reply that says why is small. (`_bulk` answers with a few hundred for each document.)
MAX_REPLY = 64 * 1024


class HttpReply(msgspec.Struct, frozen=True):
    """The answer. `problem` is None for success; `status` is None where no answer came."""

    status: int | None
    body: bytes
    problem: Problem | None
    reason: str
    retry_after: float | None = None

    def report(self, count: int) -> Report:
        """The report of a batch of which nothing was accepted."""
        assert self.problem is not None
        return failed(count, self.problem, self.reason, self.status, self.retry_after)


class HttpClient:
    """A connection to one server, kept open. `header` makes the headers with the credential."""

    def __init__(
        self,
        settings: SinkSettings,
        header: Callable[[str], dict[str, str]] | None = None,
        *,
        otlp: bool = False,
        max_reply: int = MAX_REPLY,
        base: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self.base = settings.address.http if base is None else base
        self._header = header
        self._otlp = otlp
        self._max_reply = max_reply
        self._clock = clock
        self._client: httpx.Client | None = None
        self.credential = credential(settings)
        if self.base.startswith("https:"):
            tls.context(settings)  # for its errors: they belong to the start
        refuse_in_the_clear(settings, secret=self.credential is not None)
        # Read now, though it is used later: a missing credential is an error of the start.
        if self.credential is not None:
            self.credential.value()

    def post(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST"
    ) -> HttpReply:
        """Send one request and read the reply."""
        try:
            return self._post(method, path, body, headers)
        except httpx.TimeoutException:
            return self._broken("busy", "no answer in time")
        except (httpx.HTTPError, OSError) as error:
            # httpx hides the cause: whether a certificate was refused is known only from OpenSSL.
            cause = _cause(error)
            return self._broken("blocked" if tls.is_final(cause) else "busy", tls.words(cause))
        except UsageError as error:  # the credential or a certificate is gone
            return self._broken("blocked", str(error))

    def _post(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> HttpReply:
        extensions: dict[str, Any] = {}
        if self._settings.server_name is not UNSET:
            extensions["sni_hostname"] = self._settings.server_name
        secret = {}
        if self.credential is not None and self._header is not None:
            secret = self._header(self.credential.value().reveal().decode("ascii"))
        deadline = time.monotonic() + self._timeout
        request = self._connected().build_request(
            method,
            self.base + path,
            content=body,
            headers={**headers, **secret},
            extensions=extensions,
        )
        response = self._connected().send(request, stream=True)
        try:
            data = self._read(response, deadline)
        finally:
            response.close()
        problem = problem_of(response.status_code, otlp=self._otlp)
        # Read it again next time: it may have been renewed in its place.
        if response.status_code in (401, 403) and self.credential is not None:
            self.credential.forget()
        after = retry_after(response.headers.get("retry-after"), self._clock())
        # Not `credential.known()`, which may be forgotten by now: a server echoes what was sent.
        words = self._words(response.status_code, data, *secret.values())
        return HttpReply(response.status_code, data, problem, words, after)

    def _words(self, status: int, data: bytes, *sent: str) -> str:
        from jwtleak.secret import Secret

        # A header is `Scheme credential`: the server may repeat either.
        parts = [part for value in sent for part in (value, value.rpartition(" ")[2])]
        secrets = [Secret(part.encode()) for part in parts]
        return f"HTTP {status} {safe(data, *secrets)}".strip()

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        """At most `max_reply` bytes; the rest stays unread, and the connection is closed."""
        data = bytearray()
        for chunk in response.iter_raw(16384):
            data += chunk
            if len(data) > self._max_reply:
                return bytes(data[: self._max_reply])
            # httpx's timeout is for each read: a server that drips would hold the thread.
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("slow reply")
        return bytes(data)

    def _broken(self, problem: Problem, words: str) -> HttpReply:
        self.close()
        return HttpReply(None, b"", problem, words)

    @property
    def _timeout(self) -> float:
        return float(self._settings.get("timeout", TIMEOUT))

    def _connected(self) -> httpx.Client:
        if self._client is None:
            # One connection: a sink sends one batch at a time.
            limits = httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=60
            )
            timeout = httpx.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout))
            secure = self.base.startswith("https:")
            self._client = httpx.Client(
                verify=tls.context(self._settings) if secure else False,
                trust_env=False,  # no proxies, no netrc, no SSL_CERT_FILE of the environment
                follow_redirects=False,
                proxy=self._settings.get("proxy", None),
                timeout=timeout,
                limits=limits,
                headers={"user-agent": f"jwtleak/{__version__}", "accept-encoding": "identity"},
            )
        return self._client

    def reopen(self) -> None:
        """Certificates or the credential may have been renewed."""
        self.close()
        if self.credential is not None:
            self.credential.forget()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _cause(error: BaseException) -> BaseException:
    """The error of the system or of TLS behind those of the libraries."""
    seen = 0  # the chain of an exception may be a circle
    while not isinstance(error, OSError) and seen < 8:
        deeper = error.__cause__ or error.__context__
        if deeper is None:
            return OSError(0, type(error).__name__)
        error, seen = deeper, seen + 1
    return error
