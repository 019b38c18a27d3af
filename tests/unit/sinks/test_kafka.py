"""Kafka: the producer's answers, from a stand-in for the library; the wire is tested against
librdkafka's cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sending import message, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.kafka import KafkaSink, open_sink
from jwtleak.sinks.settings import from_url

confluent_kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is an extra")


class Error:
    """An error of librdkafka."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    def code(self) -> int:
        return 7

    def str(self) -> str:
        return f"words of {self._name}"


class Producer:
    """Answers each message in turn: an error's name, "" for success, None for no answer."""

    answers: list[str | None] = []  # noqa: RUF012 - set by each test

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration
        self.sent: list[tuple[Any, ...]] = []
        self.purged = False
        self._waiting: list[Callable[[], None]] = []

    def produce(
        self, topic: str, value: bytes, key: bytes, *, headers: Any, on_delivery: Any
    ) -> None:
        self.sent.append((topic, value, key, headers))
        answer = self.answers.pop(0) if self.answers else ""
        if answer is not None:
            self._waiting.append(lambda: on_delivery(Error(answer) if answer else None, None))

    def flush(self, timeout: float) -> int:
        answered, self._waiting = self._waiting, []
        for one in answered:
            one()
        return len(self.sent) - len(answered)

    def poll(self, timeout: float) -> int:
        return 0

    def purge(self) -> None:
        self.purged = True


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> KafkaSink:
    """A sink whose producer is the stand-in."""
    monkeypatch.setattr(confluent_kafka, "Producer", Producer)
    monkeypatch.setattr(Producer, "answers", [])
    return open_sink(from_url("kafka://localhost:9092/alerts"))


def test_messages_carry_key_and_id(sink: KafkaSink) -> None:
    """The fingerprint is the key, the id a header; the producer is idempotent."""
    assert [one.kind for one in sink.send(messages(2)).outcomes] == ["accepted", "accepted"]
    topic, value, key, headers = sink._producer.sent[1]
    one = message(1)
    assert (topic, value, key) == ("alerts", one.body, one.fingerprint.encode())
    assert headers == [("event-id", one.id.encode()), ("severity", b"high")]
    made = sink._producer.configuration
    assert (made["acks"], made["enable.idempotence"], made["security.protocol"]) == (
        "all",
        True,
        "PLAINTEXT",
    )
    sink.idle()
    sink.close()


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("MSG_SIZE_TOO_LARGE", "refused", None),
        ("INVALID_RECORD", "refused", None),
        ("_MSG_TIMED_OUT", "again", "busy"),
        ("NOT_ENOUGH_REPLICAS", "again", "busy"),
        ("SASL_AUTHENTICATION_FAILED", "again", "blocked"),
        ("TOPIC_AUTHORIZATION_FAILED", "again", "blocked"),
        ("UNKNOWN_TOPIC_OR_PART", "again", "blocked"),
    ],
)
def test_each_answer_is_judged(name: str, kind: str, problem: str | None, sink: KafkaSink) -> None:
    """By the library's name for it."""
    Producer.answers = ["", name, ""]
    report = sink.send(messages(3))
    assert [one.kind for one in report.outcomes] == ["accepted", kind, "accepted"]
    assert report.problem == problem
    sink.close()


def test_what_is_not_answered_is_taken_back(sink: KafkaSink) -> None:
    """Otherwise the library would send it later while the outbox sends it too."""
    Producer.answers = ["", None]
    sink.send(messages(1))
    producer = sink._producer
    report = sink.send(messages(1))
    assert ([one.kind for one in report.outcomes], report.problem, report.reason) == (
        ["again"],
        "busy",
        "no answer in time",
    )
    assert producer.purged


def test_trouble_of_the_connection_is_told(sink: KafkaSink) -> None:
    """The library tells it beside the messages."""
    Producer.answers = [None]
    original = Producer.flush
    try:
        Producer.flush = lambda self, timeout: (self.configuration["error_cb"](Error("_SSL")), 1)[1]  # type: ignore[method-assign]
        report = sink.send(messages(1))
    finally:
        Producer.flush = original  # type: ignore[method-assign]
    assert (report.problem, report.reason) == ("blocked", "words of _SSL")


def test_credentials(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SASL over TLS; never in the clear but to this machine; read again when it may be new."""
    monkeypatch.setattr(confluent_kafka, "Producer", Producer)
    monkeypatch.setattr(Producer, "answers", [])
    sink = open_sink(
        from_url(
            f"kafka+tls://a:1,b:2/alerts?user=me&token_file={token_file}&sasl=PLAIN&verify=false"
        )
    )
    sink.send(messages(1))
    made = sink._producer.configuration
    assert (made["security.protocol"], made["sasl.mechanism"], made["bootstrap.servers"]) == (
        "SASL_SSL",
        "PLAIN",
        "a:1,b:2",
    )
    token_file.write_text("renewed")
    sink.reopen()
    sink.send(messages(1))
    assert sink._producer.configuration["sasl.password"] == "renewed"
    sink.close()
    with pytest.raises(UsageError, match="only over TLS"):
        open_sink(from_url(f"kafka://a:1,b:2/alerts?user=me&token_file={token_file}"))
    with pytest.raises(UsageError, match="go together"):
        open_sink(from_url("kafka+tls://h:1/alerts?user=me"))


def test_a_topic_is_needed() -> None:
    """One, not a path."""
    for url in ("kafka://h:1", "kafka://h:1/a/b"):
        with pytest.raises(UsageError, match="names no topic"):
            open_sink(from_url(url))


def test_the_wire() -> None:
    """librdkafka's own cluster accepts the batch, and a consumer reads key, header and value."""
    sink = KafkaSink(from_url("kafka://127.0.0.1:1/alerts"), {"test.mock.num.brokers": 1})
    try:
        assert [one.kind for one in sink.send(messages(3)).outcomes] == ["accepted"] * 3
        broker = next(iter(sink._producer.list_topics(timeout=10).brokers.values()))
        where = {
            "bootstrap.servers": f"{broker.host}:{broker.port}",
            "group.id": "g",
            "auto.offset.reset": "earliest",
        }
        consumer = confluent_kafka.Consumer(where)
        try:
            consumer.subscribe(["alerts"])
            found: dict[bytes, Any] = {}
            for _ in range(100):
                one = consumer.poll(0.3)
                if one is not None and one.error() is None:
                    found[one.value()] = (one.key(), dict(one.headers())["event-id"])
                if len(found) == 3:
                    break
        finally:
            consumer.close()
        assert found == {
            one.body: (one.fingerprint.encode(), one.id.encode()) for one in messages(3)
        }
    finally:
        sink.close()
