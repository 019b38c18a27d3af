"""Elasticsearch and OpenSearch: `elastic+https://host:9200`, by `_bulk` into a data stream.

Promises: a document's `_id` is the alert's id and is only ever created, so a document that exists
already (409) counts as accepted: once within a backing index. Each document has its own answer,
whose words are cut and cleaned, since the server may quote the document.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import orjson
from isal import igzip
from msgspec import UNSET

from jwtleak.errors import UsageError
from jwtleak.sinks.http import USES as HTTP
from jwtleak.sinks.http import HttpClient, problem_of
from jwtleak.sinks.interface import ACCEPTED, AGAIN, BatchLimits, Message, Outcome, Report, failed
from jwtleak.sinks.reason import safe
from jwtleak.sinks.settings import SinkSettings

USES = HTTP | {"index", "auth", "user", "pipeline", "compress"}

# A data stream: type, dataset and namespace (Elastic's naming scheme). It accepts only `create`.
INDEX = "logs-jwtleak.alert-default"
# The parts of the answer that are read; none contains a document.
_FILTER = (
    "filter_path=errors,error.type,error.reason,"
    "items.*.status,items.*.error.type,items.*.error.reason"
)
# Bytes. Each document's answer has about 500, most of them the reason.
_MAX_REPLY = 8 << 20


class _Error(msgspec.Struct, frozen=True):
    type: str = ""
    reason: str = ""


class _Item(msgspec.Struct, frozen=True):
    status: int
    error: _Error | None = None


class _Bulk(msgspec.Struct, frozen=True):
    errors: bool
    items: list[dict[str, _Item]] = []


_decode = msgspec.json.Decoder(_Bulk).decode


class ElasticSink:
    """One cluster."""

    guarantee = "at least once; effectively once within a backing index"
    format = "ecs"
    ascii = False
    max_bytes = None
    limits = BatchLimits(1000, 5_000_000)
    only = None

    def __init__(self, settings: SinkSettings) -> None:
        self._http = HttpClient(settings, _header(settings), max_reply=_MAX_REPLY)
        self._index = settings.get("index", INDEX)
        pipeline = (
            "" if settings.pipeline is UNSET else f"&pipeline={quote(settings.pipeline, safe='')}"
        )
        self._path = f"{settings.address.path.rstrip('/')}/_bulk?{_FILTER}{pipeline}"
        self._compress: bool = settings.get("compress", True)

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch: an action and a document for each alert, each a line."""
        lines = []
        for message in messages:
            action = {"create": {"_index": self._index, "_id": message.id}}
            lines += [orjson.dumps(action), message.body]
        body = b"\n".join([*lines, b""])
        headers = {"content-type": "application/x-ndjson"}
        if self._compress:
            body = igzip.compress(body, 1)
            headers["content-encoding"] = "gzip"
        reply = self._http.post(self._path, body, headers)
        if reply.problem is not None:
            return reply.report(len(messages))
        try:
            answer = _decode(reply.body)
        except msgspec.DecodeError:
            # 200 of a proxy's login page. `blocked`: what was sent is nowhere.
            return failed(
                len(messages),
                "blocked",
                f"this is not the answer of _bulk: {reply.reason}",
                reply.status,
            )
        if not answer.errors:
            return Report((ACCEPTED,) * len(messages), reason=f"HTTP {reply.status}")
        # Answers are matched by position: with one missing, all behind it would be wrong.
        if len(answer.items) != len(messages):
            return failed(
                len(messages), "blocked", "the answer does not speak of each document", reply.status
            )
        return _each([next(iter(item.values())) for item in answer.items])

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """Certificates or the key may have been renewed."""
        self._http.reopen()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _each(items: list[_Item]) -> Report:
    """The outcome of each document. Where a document must be sent again the batch is `busy`; the
    others are settled.
    """
    outcomes: list[Outcome] = []
    waits: _Item | None = None
    for item in items:
        kind = problem_of(item.status)
        # 409: the id exists, from an earlier attempt whose answer was lost.
        if kind is None or item.status == 409:
            outcomes.append(ACCEPTED)
        elif kind == "busy":  # 429: the thread pool of one shard is full, others accepted theirs
            outcomes.append(AGAIN)
            waits = waits or item
        else:
            outcomes.append(Outcome("refused", _words(item), item.status))
    if waits is None:
        return Report(tuple(outcomes))
    return Report(tuple(outcomes), "busy", _words(waits), waits.status)


def _words(item: _Item) -> str:
    error = item.error or _Error()
    return safe(f"{error.type}: {error.reason}") if error.reason else f"status {item.status}"


def _header(settings: SinkSettings) -> Any:
    auth = settings.get("auth", "apikey" if settings.user is UNSET else "basic")
    if (auth == "basic") != (settings.user is not UNSET):
        raise UsageError(f'{settings.title}: auth = "basic" and `user` go together')
    if auth == "basic":
        return lambda token: {
            "authorization": "Basic "
            + base64.b64encode(f"{settings.user}:{token}".encode()).decode()
        }
    scheme = "ApiKey" if auth == "apikey" else "Bearer"
    return lambda token: {"authorization": f"{scheme} {token}"}


def open_sink(settings: SinkSettings) -> ElasticSink:
    """The sink `elastic+https://host:port`."""
    return ElasticSink(settings)
