"""Splunk's HTTP Event Collector: `hec+https://host:8088`.

Promises: events go in batches, gzip-compressed, with the token only in a header. With `ack=true` a
batch counts as accepted when the indexer confirms it. HEC has no idempotence: after a lost reply an
event exists twice, with the same `id` in its indexed fields.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from isal import igzip

from jwtleak.alerts.alert import Alert
from jwtleak.formats.levels import LEVELS
from jwtleak.sinks.http import USES as HTTP
from jwtleak.sinks.http import HttpClient, HttpReply
from jwtleak.sinks.interface import (
    AGAIN,
    BatchLimits,
    Message,
    Outcome,
    Report,
    all_accepted,
    failed,
    moment,
)
from jwtleak.sinks.settings import SinkSettings, token_needed

USES = HTTP | {"index", "sourcetype", "ack", "compress"}

PATH = "/services/collector/event"
ACK_PATH = "/services/collector/ack"
SOURCETYPE = "jwtleak:alert"
# Seconds. An indexer acknowledges within seconds, after it wrote to disk; then the batch is sent
# again.
ACK_WAIT = 30.0
ACK_POLL = 1.0

# HEC's own codes (Splunk: "Possible error codes"): the same status stands for several of them.
_BUSY = frozenset({8, 9, 18, 19, 20, 23, 24, 26, 27})
_BLOCKED = frozenset({1, 2, 3, 4, 10, 11, 14, 16, 25})


class HecSink:
    """One collector."""

    guarantee = "at least once; with ack=true: at least once into the index"
    format = "ecs"
    ascii = False
    max_bytes = None
    # Splunk's default `max_content_length` is 800 MB, but load balancers in front of it allow 1 MB.
    limits = BatchLimits(500, 1_000_000)
    only = None

    def __init__(
        self,
        settings: SinkSettings,
        *,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = HttpClient(settings, lambda token: {"authorization": f"Splunk {token}"})
        self._path = settings.address.path.rstrip("/") or PATH
        self._ack: bool = settings.get("ack", False)
        self._compress: bool = settings.get("compress", True)
        self._timestamp = settings.get("timestamp", "detected")
        self._index: str | None = settings.get("index", None)
        self._sourcetype: str = settings.get("sourcetype", SOURCETYPE)
        # Acknowledgements are numbered per channel: this sink keeps one channel.
        self._channel = str(uuid.uuid4())
        self._wait, self._clock = wait, clock

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch: JSON objects one after the other, not an array."""
        body = b"\n".join(map(self._event, messages))
        headers = {"content-type": "application/json"}
        if self._ack:
            headers["x-splunk-request-channel"] = self._channel
        if self._compress:
            body = igzip.compress(body, 1)
            headers["content-encoding"] = "gzip"
        reply = self._http.post(self._path, body, headers)
        answer = _object(reply.body)
        if reply.problem is None:
            return self._accepted(len(messages), reply, answer)
        return _refused(len(messages), reply, answer)

    def _event(self, message: Message) -> bytes:
        alert = message.alert
        event: dict[str, Any] = {
            "time": moment(alert, self._timestamp) / 1000,
            "sourcetype": self._sourcetype,
            "event": orjson.Fragment(message.body),
            "fields": _fields(alert),
        }
        if self._index is not None:
            event["index"] = self._index
        if alert.location.host:
            event["host"] = alert.location.host
        if alert.location.path:
            event["source"] = alert.location.path
        return orjson.dumps(event)

    def _accepted(self, count: int, reply: HttpReply, answer: dict[str, Any]) -> Report:
        # A proxy or another service may answer 200 as well.
        if answer.get("code") != 0:
            return failed(
                count, "blocked", f"this is not an event collector: {reply.reason}", reply.status
            )
        if not self._ack:
            return all_accepted(count, reply.reason)
        number = answer.get("ackId")
        # An index without useACK accepts the batch, but gives no number to ask for.
        if not isinstance(number, int):
            return failed(
                count,
                "blocked",
                "the collector gives no acknowledgements: ack=true needs useACK",
                reply.status,
            )
        return self._acknowledged(count, number)

    def _acknowledged(self, count: int, number: int) -> Report:
        deadline = self._clock() + ACK_WAIT
        body = orjson.dumps({"acks": [number]})
        headers = {"content-type": "application/json", "x-splunk-request-channel": self._channel}
        path = self._path.removesuffix(PATH) + ACK_PATH
        while True:
            # While this waits nothing else is sent: a channel has a bounded number of open
            # acknowledgements, and the batch stays in the outbox until then.
            reply = self._http.post(path, body, headers)
            if reply.problem is not None:
                return reply.report(count)
            acks = _object(reply.body).get("acks")
            if isinstance(acks, dict) and acks.get(str(number)) is True:
                return all_accepted(count, f"acknowledged: {reply.reason}")
            if self._clock() >= deadline:
                return failed(
                    count, "busy", "the indexer did not acknowledge in time", reply.status
                )
            self._wait(ACK_POLL)

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """Certificates or the token may have been renewed."""
        self._http.reopen()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _refused(count: int, reply: HttpReply, answer: dict[str, Any]) -> Report:
    code = answer.get("code")
    if code in _BLOCKED:
        return failed(count, "blocked", reply.reason, reply.status)
    if code in _BUSY:
        return failed(count, "busy", reply.reason, reply.status, reply.retry_after)
    number = answer.get("invalid-event-number")
    if reply.problem == "poison" and isinstance(number, int) and 0 <= number < count:
        # HEC does not say whether the events before it were accepted: they are sent again, with the
        # same ids.
        bad = Outcome("refused", reply.reason, reply.status)
        return Report(
            (AGAIN,) * number + (bad,) + (AGAIN,) * (count - number - 1),
            reason=reply.reason,
            status=reply.status,
        )
    return reply.report(count)


def _fields(alert: Alert) -> dict[str, str]:
    """Indexed fields: flat, all strings, with names of Splunk's Common Information Model where it
    has one.
    """
    fields = {
        "id": alert.id,
        "app": "jwtleak",
        "type": "alert",
        "signature": alert.title,
        "signature_id": f"jwt.{alert.channel.type}",
        "severity": LEVELS[alert.severity].cim,
        "jwt_fingerprint": alert.token.sha256,
        "channel": alert.channel.type,
    }
    if alert.location.host:
        fields["dest"] = alert.location.host
    if alert.location.path:
        fields["file_path"] = alert.location.path
    return fields


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def open_sink(settings: SinkSettings) -> HecSink:
    """The sink `hec+https://host:port`."""
    token_needed(settings, "the token of the collector")
    return HecSink(settings)
