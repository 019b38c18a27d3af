"""OpenSearch: a real cluster of one behind `_bulk`, with a data stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from real_receivers import Sender, Started, free_port, java

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name

_SOURCE = Path(__file__).parent / "java" / "OpenSearch.java"


class Cluster:
    """A running node."""

    def __init__(self, start: Started, directory: Path) -> None:
        program, libraries = java("opensearch")
        home = directory / "opensearch"
        (home / "config").mkdir(parents=True)
        (home / "modules").mkdir()
        (home / "plugins").mkdir()
        self.port = free_port()
        start(
            program,
            "-Xmx600m",
            "-cp",
            libraries,
            str(_SOURCE),
            str(home),
            str(self.port),
            port=self.port,
            seconds=180,
        )

    def __call__(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """One request; fails where the cluster does not take it."""
        answer = httpx.request(
            method, f"http://127.0.0.1:{self.port}/{path}", json=body, trust_env=False, timeout=60
        )
        assert answer.is_success, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def template(self, **mappings: Any) -> None:
        """A data stream for alerts."""
        body = {"index_patterns": ["logs-*"], "data_stream": {}, "template": {"mappings": mappings}}
        self("PUT", "_index_template/logs", body)

    def documents(self) -> dict[str, dict[str, Any]]:
        """Everything in the stream, by `_id`."""
        self("POST", "logs-*/_refresh")
        hits = self("POST", "logs-jwtleak.alert-default/_search", {"size": 10_000})["hits"]["hits"]
        assert len(hits) == len({one["_id"] for one in hits})
        return {one["_id"]: one["_source"] for one in hits}


@pytest.fixture
def cluster(start: Started, tmp_path: Path) -> Cluster:
    """A cluster of its own."""
    return Cluster(start, tmp_path)


def test_alerts_are_documents(cluster: Cluster, deliver: Sender, alerts: list[Alert]) -> None:
    """Every field of each; sent again they are there once; one that the mapping refuses is put
    aside with the reason.
    """
    cluster.template()
    url = f"elastic+http://127.0.0.1:{cluster.port}"
    assert deliver(url, alerts, seconds=300).sent == len(alerts)
    encode = by_name("ecs").encode
    assert cluster.documents() == {one.id: json.loads(encode(one)) for one in alerts}
    again = deliver(url, alerts, seconds=300)
    assert (again.sent, again.dead) == (len(alerts), 0)
    assert len(cluster.documents()) == len(alerts)
    cluster("DELETE", "_data_stream/logs-jwtleak.alert-default")
    cluster.template(dynamic="strict", properties={"@timestamp": {"type": "date"}})
    refused = deliver(url, alerts[:5], seconds=300)
    assert (refused.sent, refused.dead) == (0, 5)
