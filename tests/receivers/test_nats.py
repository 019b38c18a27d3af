"""NATS JetStream: what was stored, and what is stored once however often it is sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from real_receivers import Sender, Started, free_port, program

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name

nats = pytest.importorskip("nats", reason="nats-py is an extra")


@pytest.fixture
def port(start: Started, tmp_path: Path) -> int:
    """A server with JetStream, and a stream for `alerts.>`."""
    found = free_port()
    start(
        program("nats-server"),
        "-js",
        "-a",
        "127.0.0.1",
        "-p",
        str(found),
        "-sd",
        str(tmp_path / "jetstream"),
        port=found,
    )

    async def make() -> None:
        client = await nats.connect(f"nats://127.0.0.1:{found}")
        await client.jetstream().add_stream(name="alerts", subjects=["alerts.>"])
        await client.close()

    asyncio.run(make())
    return found


def stored(port: int) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """(Headers, document) of every message in the stream."""

    async def fetch() -> list[tuple[dict[str, str], dict[str, Any]]]:
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        count = (await stream.stream_info("alerts")).state.messages
        inbox = await stream.pull_subscribe("alerts.>", "reader")
        found = []
        while len(found) < count:
            for one in await inbox.fetch(min(500, count - len(found)), timeout=10):
                await one.ack()
                found.append((one.headers, json.loads(one.data)))
        await client.close()
        return found

    return asyncio.run(fetch())


def test_every_alert_is_stored_once(
    port: int, deliver: Sender, alerts: list[Alert], tmp_path: Path
) -> None:
    """Sent a second time, as after a crash, none is stored again."""
    url = f"nats://127.0.0.1:{port}/alerts.jwt"
    assert deliver(url, alerts).sent == len(alerts)
    assert deliver(url, alerts).sent == len(alerts)
    found = stored(port)
    assert len(found) == len(alerts)
    encode = by_name("ecs").encode
    assert {headers["Nats-Msg-Id"]: document for headers, document in found} == {
        one.id: json.loads(encode(one)) for one in alerts
    }


def test_a_subject_that_no_stream_takes_blocks(
    port: int, deliver: Sender, alerts: list[Alert]
) -> None:
    """Nothing counts as sent."""
    with pytest.raises(AssertionError, match="no stream takes this subject"):
        deliver(f"nats://127.0.0.1:{port}/other", alerts[:3], seconds=2)
