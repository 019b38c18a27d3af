"""Kafka's wire protocol, by the cluster that comes inside librdkafka, with three brokers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sending import message

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name
from jwtleak.sinks.interface import Message
from jwtleak.sinks.kafka import KafkaSink
from jwtleak.sinks.settings import from_url

confluent_kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is an extra")


def test_every_alert_is_read(alerts: list[Alert]) -> None:
    """Key, header and value of each; all alerts of one token in one partition."""
    encode = by_name("ecs").encode
    batch = [Message(one, message(0).at_ms, encode(one)) for one in alerts]
    sink = KafkaSink(from_url("kafka://127.0.0.1:1/alerts"), {"test.mock.num.brokers": 3})
    try:
        for at in range(0, len(batch), 250):
            assert {one.kind for one in sink.send(batch[at : at + 250]).outcomes} == {"accepted"}
        broker = next(iter(sink._producer.list_topics(timeout=10).brokers.values()))
        found = read(f"{broker.host}:{broker.port}", len(batch))
    finally:
        sink.close()
    assert len(found) == len(batch)
    assert {one[1]: json.loads(one[2]) for one in found} == {
        one.id.encode(): json.loads(one.body) for one in batch
    }
    assert {one[0] for one in found} == {one.fingerprint.encode() for one in batch}


def read(servers: str, count: int) -> list[tuple[bytes, bytes, bytes]]:
    """(Key, event id, value) of every message."""
    consumer: Any = confluent_kafka.Consumer(
        {"bootstrap.servers": servers, "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    found = []
    try:
        consumer.subscribe(["alerts"])
        for _ in range(600):
            for one in consumer.consume(500, 0.2):
                assert one.error() is None
                found.append((one.key(), dict(one.headers())["event-id"], one.value()))
            if len(found) >= count:
                break
    finally:
        consumer.close()
    return found
