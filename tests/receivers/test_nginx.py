"""nginx before a receiver, as many have it: size limits, rate limits, an upstream that goes away,
client certificates.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from real_receivers import Sender, Started, free_port, program
from receiving import Bulk, Web

from jwtleak.alerts.alert import Alert

_CONF = """
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5;
  limit_req_zone $binary_remote_addr zone=few:1m rate=1r/s;
  server {{
    listen 127.0.0.1:{port} {tls}
    {more}
    location / {{ {limit} proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    error_page 429 @later;
    location @later {{ add_header Retry-After 1 always; return 429; }}
  }}
}}
"""  # noqa: E501


@pytest.fixture
def store() -> Bulk:
    """What arrived."""
    return Bulk()


@pytest.fixture
def upstream(store: Bulk) -> Iterator[Web]:
    """The receiver behind nginx."""
    with Web(otherwise=store) as web:
        yield web


def front(
    start: Started,
    directory: Path,
    upstream: int,
    *,
    tls: str = ";",
    more: str = "",
    limit: str = "",
) -> int:
    """Start nginx; gives its port."""
    port = free_port()
    conf = _CONF.format(
        dir=directory, port=port, upstream=upstream, tls=tls, more=more, limit=limit
    )
    (directory / "nginx.conf").write_text(conf)
    start(program("nginx"), "-c", str(directory / "nginx.conf"), "-p", str(directory), port=port)
    return port


def arrived(store: Bulk, alerts: list[Alert]) -> None:
    """Every alert is there, each once."""
    assert set(store.documents) == {one.id for one in alerts}
    for one in alerts:
        document = store.documents[one.id]
        assert document["event"]["id"] == one.id  # type: ignore[index]
        assert document["message"] == one.title


def test_a_batch_over_the_limit_is_split(
    start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert], upstream: Web, store: Bulk
) -> None:
    """413: half as many, until they fit."""
    port = front(start, tmp_path, upstream.port, more="client_max_body_size 60k;")
    health = deliver(f"elastic+http://127.0.0.1:{port}?compress=false", alerts)
    arrived(store, alerts)
    assert (health.sent, health.dead) == (1000, 0)
    assert max(len(one.raw) for one in upstream.requests) <= 60 * 1024


def test_a_rate_limit_is_obeyed(
    start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert], upstream: Web, store: Bulk
) -> None:
    """429 with Retry-After: the wait is that of the receiver."""
    port = front(start, tmp_path, upstream.port, limit="limit_req zone=few; limit_req_status 429;")
    health = deliver(f"elastic+http://127.0.0.1:{port}?batch=200", alerts)
    arrived(store, alerts)
    assert health.retried > 0


def test_an_upstream_that_is_away_is_waited_for(
    start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert], store: Bulk
) -> None:
    """502: everything is kept, and arrives when it is back."""
    upstream = free_port()
    port = front(start, tmp_path, upstream)
    with pytest.raises(AssertionError, match="queued=1000"):
        deliver(f"elastic+http://127.0.0.1:{port}", alerts, seconds=2)
    with Web(otherwise=store, port=upstream):
        deliver(f"elastic+http://127.0.0.1:{port}", [])
    arrived(store, alerts)


def test_mutual_tls(
    start: Started,
    tmp_path: Path,
    deliver: Sender,
    alerts: list[Alert],
    authority: Authority,
    upstream: Web,
    store: Bulk,
) -> None:
    """Without a client certificate nginx says 400; with one the alerts arrive. What was refused is
    not lost.
    """
    certificate, key = authority.issue("nginx")
    for name, path in (("server.pem", certificate), ("server.key", key), ("ca.pem", authority.ca)):
        shutil.copy(path, tmp_path / name)
    files = (
        "ssl_certificate server.pem; ssl_certificate_key server.key; ssl_client_certificate ca.pem;"
    )
    port = front(
        start,
        tmp_path,
        upstream.port,
        tls="ssl;",
        more=f"{files} ssl_verify_client on; client_max_body_size 9m;",
    )
    mine = authority.issue("client-nginx")
    url = f"elastic+https://127.0.0.1:{port}?ca_file={authority.ca}"
    assert deliver(f"{url}&cert_file={mine[0]}&key_file={mine[1]}", alerts).sent == 1000
    arrived(store, alerts)
