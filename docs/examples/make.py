"""Makes the sample logs in `docs/examples/logs/`: small, invented, the same bytes every time.

Every token in them is minted here with a key that exists nowhere else. Run it from anywhere:

    python docs/examples/make.py [DIRECTORY]
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import io
import json
import sys
from pathlib import Path
from typing import Any

# 2026-01-15T12:00:00Z: the moment at which the README's command judges expiry.
NOW = 1_768_478_400
KEY = b"a throw-away key of the sample logs"
ISSUER = "https://idp.shop.example/"


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def mint(claims: dict[str, Any], alg: str = "HS256", **header: str) -> str:
    """A token: signed with KEY for HS256, with noise of the right length for RS256, unsigned for
    `none`.
    """
    head = {"alg": alg, "typ": "JWT", **header}
    signed = ".".join(
        b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims)
    )
    signature = b""
    if alg == "HS256":
        signature = hmac.digest(KEY, signed.encode(), "sha256")
    elif alg == "RS256":
        signature = hashlib.shake_128(signed.encode()).digest(256)
    return f"{signed}.{b64(signature)}"


def claims(issued: int, lifetime: int | None, **more: Any) -> dict[str, Any]:
    """Claims issued `issued` seconds before NOW; without `exp` when `lifetime` is None."""
    made = {"iss": ISSUER, "sub": "user-4711", "aud": "shop-api", "iat": NOW - issued, **more}
    return made if lifetime is None else made | {"exp": NOW - issued + lifetime}


def access_log() -> bytes:
    """nginx, combined format: a live token in a query, again in the Referer of what the page
    loaded; lines without.
    """
    token = mint(claims(120, 3600, scope="orders.read orders.write"), "RS256", kid="2026-01")
    page = f"/callback?access_token={token}&state=af0ifjsldkj"
    lines = [
        '203.0.113.9 - - [15/Jan/2026:11:57:58 +0000] "GET / HTTP/1.1" 200 5120 "-" "Mozilla/5.0"',
        '203.0.113.9 - - [15/Jan/2026:11:57:59 +0000] "GET /app.js?v=1.2.3 HTTP/1.1" 200 81422 "-" "Mozilla/5.0"',  # noqa: E501
        f'203.0.113.9 - - [15/Jan/2026:11:58:01 +0000] "GET {page} HTTP/1.1" 200 5120 "-" "Mozilla/5.0"',  # noqa: E501
        f'203.0.113.9 - - [15/Jan/2026:11:58:02 +0000] "GET /logo.svg HTTP/1.1" 200 912 '
        f'"https://shop.example{page}" "Mozilla/5.0"',
        '198.51.100.7 - - [15/Jan/2026:11:58:09 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.31"',  # noqa: E501
    ]
    return text(lines)


def app_log() -> bytes:
    """JSON lines of a service that dumps request headers: a token that never expires; an unsigned
    one in a field.
    """
    forever = mint(claims(86400 * 400, None, sub="batch-worker", scope="admin"))
    unsigned = mint(claims(30, 600), "none")
    records = [
        {"ts": "2026-01-15T11:58:20.101Z", "level": "info", "msg": "listening", "port": 8080},
        {
            "ts": "2026-01-15T11:58:21.340Z",
            "level": "debug",
            "msg": "request",
            "headers": {
                "Host": "api.shop.example",
                "Authorization": f"Bearer {forever}",
                "Accept": "*/*",
            },
        },
        {
            "ts": "2026-01-15T11:58:21.355Z",
            "level": "debug",
            "msg": "token exchanged",
            "id_token": unsigned,
        },
        {
            "ts": "2026-01-15T11:58:22.001Z",
            "level": "info",
            "msg": "request done",
            "trace": "4bf92f3577b34da6",
        },
    ]
    return text([json.dumps(record, separators=(",", ":")) for record in records])


def error_log() -> bytes:
    """A stack trace that prints a token: expired now, live when it was logged."""
    token = mint(claims(86400 * 30, 900))
    return text(
        [
            "2025-12-16 12:01:00,120 INFO  auth.session started",
            f"2025-12-16 12:05:00,872 ERROR auth.verify InvalidAudienceError: token {token} is not for this audience",  # noqa: E501
            "  at verify (/srv/shop/auth.py:88)",
            "2025-12-16 12:05:01,004 INFO  auth.session closed",
        ]
    )


def proxy_log() -> bytes:
    """A proxy that logs cookies percent-encoded; packed by log rotation."""
    token = mint(claims(7200, 86400, sub="user-815"), kid="session").replace(".", "%2E")
    return text(
        [
            "Jan 15 10:00:01 edge haproxy[812]: 203.0.113.20:51442 shop/web1 0/0/1/12/13 200 GET /account",  # noqa: E501
            f"Jan 15 10:00:02 edge haproxy[812]: 203.0.113.20:51444 shop/web1 {{Cookie: session={token}}} GET /pay",  # noqa: E501
            "Jan 15 10:00:04 edge haproxy[812]: 198.51.100.7:40112 shop/web2 0/0/1/3/4 200 GET /healthz",  # noqa: E501
        ]
    )


def pod_log() -> bytes:
    """A container's log as a Kubernetes node keeps it (CRI): one line of the program is split
    over two records.
    """
    line = f'request failed: POST /v1/orders authorization="Bearer {mint(claims(300, 3600, sub="user-23"))}" status=500'  # noqa: E501
    cut = len(line) // 2
    return text([
        "2026-01-15T11:57:10.000000001Z stdout F starting worker 1",
        f"2026-01-15T11:57:11.120000002Z stderr P {line[:cut]}",
        f"2026-01-15T11:57:11.120000003Z stderr F {line[cut:]}",
        "2026-01-15T11:57:12.000000004Z stdout F ready",
    ])  # fmt: skip


def windows_log() -> bytes:
    """A log in UTF-16 with a byte order mark, as Windows tools write it."""
    token = mint(claims(600, 1200, sub="user-42"))
    lines = [
        "2026-01-15T11:50:02Z Sync.exe start",
        f"2026-01-15T11:50:03Z Sync.exe POST https://shop.example/sync refresh_token={token}&scope=all",  # noqa: E501
        "2026-01-15T11:50:04Z Sync.exe done",
    ]
    return "".join(["\ufeff", *(line + "\r\n" for line in lines)]).encode("utf-16-le")


def quiet_log() -> bytes:
    """No tokens: things that look a little like one."""
    cursor = b64(b'{"page":2,"after":"2026-01-14"}')
    return text([
        f"2026-01-15T11:00:00Z GET /items?cursor={cursor} 200",
        "2026-01-15T11:00:01Z resolved cdn.eyjafjallajokull.example.net 198.51.100.20",
        "2026-01-15T11:00:02Z commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b deployed",
    ])  # fmt: skip


def text(lines: list[str]) -> bytes:
    """Lines as UTF-8."""
    return "".join(line + "\n" for line in lines).encode()


def packed(data: bytes) -> bytes:
    """gzip without a time or a name; `gzip.compress` writes another header in other versions of
    Python.
    """
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=out, mtime=0) as file:
        file.write(data)
    return out.getvalue()


def files() -> dict[str, bytes]:
    """The content of every sample log by its name."""
    return {
        "nginx/access.log": access_log(),
        "app/api.jsonl": app_log(),
        "app/error.log": error_log(),
        "app/quiet.log": quiet_log(),
        "edge/haproxy.log.1.gz": packed(proxy_log()),
        "pods/worker.log": pod_log(),
        "windows/sync.log": windows_log(),
    }


def main(directory: Path) -> None:
    """Write the sample logs below `directory`."""
    for name, data in files().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "logs")
