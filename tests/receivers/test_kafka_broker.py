"""Apache Kafka: a real broker (KRaft, one node)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from real_receivers import Sender, Started, free_port, java

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name

confluent_kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is an extra")

_CONF = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={dir}/kafka
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=3
auto.create.topics.enable=true
"""


def test_every_alert_is_there(
    start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert]
) -> None:
    """Those that waited while no broker was there too; key, header and value of each; one partition
    for each token.
    """
    program, libraries = java("kafka")
    port = free_port()
    url = f"kafka://127.0.0.1:{port}/alerts?timeout=5"
    with pytest.raises(AssertionError, match="queued=1000"):
        deliver(url, alerts, seconds=2)
    conf = tmp_path / "kafka.properties"
    conf.write_text(_CONF.format(port=port, controller=free_port(), dir=tmp_path))
    format_ = [
        program,
        "-cp",
        libraries,
        "kafka.tools.StorageTool",
        "format",
        "-t",
        "MkU3OEVBNTcwNTJENDM2Qg",
        "-c",
        str(conf),
    ]
    subprocess.run(format_, check=True, capture_output=True)
    start(program, "-Xmx400m", "-cp", libraries, "kafka.Kafka", str(conf), port=port, seconds=120)
    deliver(url.replace("timeout=5", "timeout=60"), [], seconds=200)
    found = read(f"127.0.0.1:{port}", len(alerts))
    encode = by_name("ecs").encode
    assert found == {
        one.id.encode(): (one.token.sha256.encode(), json.loads(encode(one))) for one in alerts
    }


def read(servers: str, count: int) -> dict[bytes, tuple[bytes, object]]:
    """(Key, document) by event id."""
    where = {"bootstrap.servers": servers, "group.id": "reader", "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer(where)
    found = {}
    try:
        consumer.subscribe(["alerts"])
        for _ in range(600):
            for one in consumer.consume(500, 0.2):
                assert one.error() is None
                found[dict(one.headers())["event-id"]] = (one.key(), json.loads(one.value()))
            if len(found) >= count:
                break
    finally:
        consumer.close()
    return found
