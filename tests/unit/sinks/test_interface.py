"""From a URL to a sink."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.errors import UsageError
from jwtleak.sinks.interface import SCHEMES, all_accepted, failed, needs_extra, open_sink
from jwtleak.sinks.settings import from_url

URLS = {
    "stdout": "stdout",
    "file": "file:/tmp/x",
    "syslog+unix": "syslog+unix:/dev/log",
    "kafka": "kafka://localhost:1/topic",
    "kafka+tls": "kafka+tls://h:1/topic",
    "nats": "nats://localhost/subject",
    "nats+tls": "nats+tls://h/subject",
    "s3": "s3://bucket",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_its_sink(scheme: str, tmp_path: Path) -> None:
    """It states its guarantee, a format and limits; nothing is connected when it is made."""
    secret = tmp_path / "token"
    secret.write_text("whsec_" + "a" * 40)
    url = URLS.get(scheme, f"{scheme}://localhost")
    if scheme.startswith(("hec", "webhook")):
        url += f"?token_file={secret}"
    for library in {"kafka": ["confluent_kafka"], "nats": ["nats"], "s3": ["boto3"]}.get(
        scheme.partition("+")[0], []
    ):
        pytest.importorskip(library, reason=f"{library} is an extra")
    sink = open_sink(from_url(url))
    assert sink.guarantee.startswith(("at least once", "at most once", "no acknowledgement"))
    assert sink.format in ("json", "ecs", "cef", "gelf", "ocsf")
    assert sink.limits.messages > 0
    assert sink.limits.size > 0
    sink.idle()
    sink.close()
    sink.close()


def test_what_is_no_sink_is_refused() -> None:
    """With the list of those there are."""
    with pytest.raises(
        UsageError, match=r"there is no sink 'ftp': one of stdout, file, syslog\+udp"
    ):
        open_sink(from_url("ftp://h"))


def test_a_setting_of_another_sink_is_refused() -> None:
    """What would silently do nothing is a mistake."""
    with pytest.raises(UsageError, match="stdout: a stdout sink has no setting facility, index"):
        open_sink(from_url("stdout?facility=4&index=x"))
    open_sink(
        from_url(
            "stdout?when=severity=='high'&format=ecs&rate=5&batch=7&linger=1&name=x&timestamp=event&max_bytes=999"
        )
    )


def test_reports() -> None:
    """One outcome for each message."""
    assert [one.kind for one in all_accepted(2).outcomes] == ["accepted", "accepted"]
    report = failed(2, "busy", "why", 503, 1.0)
    assert [one.kind for one in report.outcomes] == ["again", "again"]
    assert (report.problem, report.reason, report.status, report.retry_after) == (
        "busy",
        "why",
        503,
        1.0,
    )
    assert "jwtleak[kafka]" in str(needs_extra("kafka", "confluent-kafka"))
