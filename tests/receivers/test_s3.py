"""S3, by moto's server."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from real_receivers import DIRECTORY, Sender, Started, absent, free_port

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name

boto3 = pytest.importorskip("boto3", reason="boto3 is an extra")


def test_objects(
    start: Started,
    deliver: Sender,
    alerts: list[Alert],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches of JSON Lines, each alert once; the same batch sent again makes no second object."""
    server = DIRECTORY / "moto/bin/moto_server"
    if not server.exists():
        absent("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    port = free_port()
    start(str(server), "-H", "127.0.0.1", "-p", str(port), port=port)
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    try:
        client.create_bucket(Bucket="leaks")
        url = f"s3://leaks/jwtleak?endpoint=http://127.0.0.1:{port}&linger=0&batch=400"
        assert deliver(url, alerts).sent == len(alerts)
        assert deliver(url, alerts).sent == len(alerts)
        names = [one["Key"] for one in client.list_objects_v2(Bucket="leaks")["Contents"]]
        assert len(names) == 3
        found = []
        for name in names:
            body = client.get_object(Bucket="leaks", Key=name)["Body"]
            with body:
                found += gzip.decompress(body.read()).splitlines()
    finally:
        client.close()
    assert len(found) == len(alerts)
    encode = by_name("ocsf").encode
    documents = {document["metadata"]["uid"]: document for document in map(json.loads, found)}
    assert documents == {one.id: json.loads(encode(one)) for one in alerts}
