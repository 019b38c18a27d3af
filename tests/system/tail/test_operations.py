"""Signals, reload, catching up, backpressure, metrics: what those who run it rely on."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from .conftest import Tail, leak, until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tail: Tail, number: int) -> None:
    """What was reported is delivered, and the status is 0."""
    tail.start()
    tail.write("a.log", leak(1))
    tail.reported(1)
    assert tail.end(number) == 0
    assert "error" not in tail.said


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(tail: Tail) -> None:
    """A sink that takes nothing holds up the end only until the second signal; the alert is
    delivered by the next run.
    """
    missing = tail.logs.parent / "missing"
    tail.start("--sink", f"file:{missing}/alerts.json")
    tail.write("a.log", leak(1))
    tail.says("cannot deliver")
    assert tail.process is not None
    tail.process.send_signal(signal.SIGTERM)
    tail.says("jwtleak: stopping")
    tail.process.send_signal(signal.SIGTERM)
    assert tail.wait() == 1
    missing.mkdir()
    tail.start()
    until(
        lambda: (
            (missing / "alerts.json").exists()
            and (missing / "alerts.json").read_bytes().endswith(b"\n")
        ),
        "the alert",
    )


def test_once(tail: Tail) -> None:
    """Catching up tells what is there and ends: 1 with leaks, 0 without new ones, from where the
    last run was.
    """
    tail.write("a.log", leak(1) + leak(2)[:-5])
    tail.start("--once", ready=False)
    assert tail.wait() == 1
    assert len(tail.alerts) == 2
    tail.start("--once", ready=False)
    assert tail.wait() == 0
    tail.write("a.log", leak(2)[-5:] + leak(3))
    tail.start("--once", ready=False)
    assert tail.wait() == 1
    assert len(tail.alerts) == 3


@pytest.mark.slow
def test_once_with_something_unreadable(tail: Tail) -> None:
    """Without leaks, what cannot be read is reported in the status."""
    tail.write("a.log", "nothing\n")
    (tail.logs / "b.log").symlink_to(tail.logs / "b.log")
    tail.start("--once", str(tail.logs / "b.log"), ready=False)
    assert tail.wait() == 3


def test_two_at_once(tail: Tail, tmp_path: Path) -> None:
    """A second daemon with the same state is refused."""
    tail.start()
    second = tmp_path / "second"
    second.mkdir()
    other = Tail(second)
    other.state = tail.state
    other.start(ready=False)
    assert other.wait() == 2
    assert "state" in other.said


def test_hup_reads_the_configuration_again(tail: Tail, tmp_path: Path) -> None:
    """What is followed changes with the file; a bad file changes nothing and is said; alerts go
    on.
    """
    config, more = tmp_path / "tail.toml", tmp_path / "more"
    more.mkdir()
    (more / "b.log").write_text(leak(2))
    config.write_text("[tail]\nwindow = '1m'\n")
    tail.start("--config", str(config))
    assert tail.process is not None
    config.write_text("[tail]\nwindow = 'soon'\n")
    tail.process.send_signal(signal.SIGHUP)
    tail.says("the old one stays")
    assert re.search(r"tail\.toml: tail.*window", tail.said)
    tail.write("a.log", leak(1))
    tail.reported(1)
    config.write_text(
        "[[sink]]\nurl = 'stdout'\n\n[[sink]]\nurl = 'file:" + str(tmp_path / "second.json") + "'\n"
    )
    tail.process.send_signal(signal.SIGHUP)
    until(lambda: tail.said.count("jwtleak: ready") == 3, "the reload")
    tail.write("a.log", leak(3))
    tail.reported(3)
    until(
        lambda: (
            (tmp_path / "second.json").exists()
            and (tmp_path / "second.json").read_bytes().endswith(b"\n")
        ),
        "the second",
    )
    assert len(tail.alerts) == 2
    assert tail.end() == 0


@pytest.mark.slow
def test_a_full_spool_stops_reading_and_loses_nothing(tail: Tail, tmp_path: Path) -> None:
    """While no sink takes alerts reading waits and says so; later everything is delivered, in
    order.
    """
    config, out = tmp_path / "tail.toml", tmp_path / "missing" / "alerts.json"
    config.write_text(f"[tail]\nspool = 65536\n\n[[sink]]\nurl = 'file:{out}'\n")
    tail.start("--config", str(config))
    for number in range(300):
        tail.write("a.log", leak(number))
        if number == 150:
            tail.says("reading waits")
    tail.write("b.log", leak(1000))
    out.parent.mkdir()
    tail.says("reading goes on")
    until(lambda: out.exists() and out.read_bytes().count(b"\n") == 301, "all alerts")
    assert len({json.loads(line)["id"] for line in out.read_bytes().splitlines()}) == 301


def test_metrics_and_health(tail: Tail) -> None:
    """Numbers and health are served on loopback, and hold no token."""
    tail.write("a.log", leak(1) + leak(1))
    tail.start("--metrics", "0", "--log-format", "json")
    tail.reported(1)
    words = [json.loads(line) for line in tail.said.splitlines()]
    assert [one["message"] for one in words][-1] == "ready"
    port = next(
        re.search(r"port (\d+)", one["message"]) for one in words if one["kind"] == "metrics"
    )
    assert port is not None

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}") as answer:
            return str(answer.read(), "utf-8")

    until(lambda: 'jwtleak_sink_sent_total{sink="stdout"} 1.0' in get("/metrics"), "the count")
    shown = get("/metrics")
    for line in (
        "jwtleak_ready 1.0",
        "jwtleak_files_followed 1.0",
        "jwtleak_lag_bytes 0.0",
        "jwtleak_repeats_suppressed_total 1.0",
        f"jwtleak_bytes_read_total {2 * len(leak(1))}.0",
    ):
        assert line in shown
    assert "eyJ" not in shown
    assert json.loads(get("/readyz"))["status"] == json.loads(get("/healthz"))["status"] == "ok"


@pytest.mark.slow
def test_repeats_are_rolled_up(tail: Tail) -> None:
    """A token that is written again and again has one alert and one repeat a window, over kill
    -9.
    """
    tail.start("--window", "3s")
    tail.write("a.log", leak(1))
    tail.reported(1)
    tail.write("a.log", leak(1) * 5)
    tail.kill()
    tail.start()
    repeats = until(lambda: [one for one in tail.alerts if one["event"] == "repeat"], "the repeat")
    assert len(repeats) == 1
    assert repeats[0]["sightings"]["count"] == 5
    assert repeats[0]["first_seen"] <= repeats[0]["last_seen"]
    assert [one["event"] for one in tail.alerts] == ["leak", "repeat"]
