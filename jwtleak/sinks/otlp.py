"""OpenTelemetry logs over HTTP: `otlp+https://host:4318`, protobuf.

Promises: a batch is sent again only after 429, 502, 503, 504 and lost connections, as the
specification demands (OTLP 1.x, "Failures"). A partial success counts the rejected records but does
not name them: the complete batch becomes dead letters, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from isal import igzip

from jwtleak.errors import UsageError
from jwtleak.sinks.http import USES as HTTP
from jwtleak.sinks.http import HttpClient
from jwtleak.sinks.interface import (
    BatchLimits,
    Message,
    Outcome,
    Report,
    all_accepted,
    failed,
    needs_extra,
)
from jwtleak.sinks.reason import safe
from jwtleak.sinks.settings import SinkSettings

USES = HTTP | {"compress"}

PATH = "/v1/logs"


class OtlpSink:
    """One receiver: a collector or a backend."""

    guarantee = "at least once"
    format = "json"
    ascii = False
    max_bytes = None
    limits = BatchLimits(1000, 1_000_000)
    only = None

    def __init__(self, settings: SinkSettings) -> None:
        try:
            from jwtleak.sinks import otlprecord
        except ImportError:
            raise needs_extra("otlp", "opentelemetry-proto") from None
        if settings.get("format", "json") != "json":
            raise UsageError(
                f"{settings.title}: OTLP is a format itself: `format` has no meaning here"
            )
        self._record = otlprecord
        self._http = HttpClient(
            settings, lambda token: {"authorization": f"Bearer {token}"}, otlp=True
        )
        self._path = settings.address.path.rstrip("/") or PATH
        self._compress: bool = settings.get("compress", True)

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch as one export request."""
        body = self._record.request([message.alert for message in messages])
        headers = {"content-type": "application/x-protobuf"}
        if self._compress:
            body = igzip.compress(body, 1)
            headers["content-encoding"] = "gzip"
        reply = self._http.post(self._path, body, headers)
        count = len(messages)
        if reply.problem is not None:
            return reply.report(count)
        # 200 may be a partial success, or the page of a proxy.
        rejected, words = self._record.rejected(reply.body)
        if rejected is None:
            return failed(
                count,
                "blocked",
                f"this is not the answer of an OTLP receiver: {reply.reason}",
                reply.status,
            )
        if not rejected:
            return all_accepted(count, f"HTTP {reply.status}")
        # The accepted records of the batch cannot be recognised.
        why = f"{rejected} of {count} rejected: {safe(words)}"
        return Report(
            (Outcome("refused", why, reply.status),) * count, reason=why, status=reply.status
        )

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """Certificates or the token may have been renewed."""
        self._http.reopen()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def open_sink(settings: SinkSettings) -> OtlpSink:
    """The sink `otlp+https://host:port`."""
    return OtlpSink(settings)
