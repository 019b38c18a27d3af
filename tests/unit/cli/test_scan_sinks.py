"""`scan --sink`, as a user runs it: alerts in files and at receivers, and what is said of those
that did not arrive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minting import jws
from receiving import Answer, Bytes, Web, all_frames

Scan = Callable[..., Any]


@pytest.fixture
def log(work: Path) -> Path:
    """A log with three tokens."""
    path = work / "a.log"
    path.write_text(
        "".join(f"GET /?t={jws({'iss': str(number)})} HTTP/1.1\n" for number in range(3))
    )
    return path


def ids(path: Path) -> list[str]:
    """Of the alerts in a file."""
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


def test_sinks_get_what_the_output_shows(scan: Scan, log: Path, work: Path) -> None:
    """Each alert, in the format of the sink; the exit status is that of the scan, and nothing is
    left behind.
    """
    done = scan(
        "a.log",
        "--sink",
        "file:native.jsonl",
        "--sink",
        "file:ecs.jsonl?format=ecs&name=ecs",
        env={"TMPDIR": str(work)},
    )
    assert done.status == 1
    assert ids(work / "native.jsonl") == [one["id"] for one in done.alerts]
    events = [json.loads(line)["event"] for line in (work / "ecs.jsonl").read_bytes().splitlines()]
    assert [one["id"] for one in events] == [one["id"] for one in done.alerts]
    assert "jwtleak: 3 alerts sent to file:native.jsonl" in done.err
    assert "jwtleak: 3 alerts sent to ecs" in done.err
    assert not list(work.glob("jwtleak-*"))


def test_standard_input_too(scan: Scan, log: Path, work: Path) -> None:
    """Alerts of a pipe go the same way."""
    done = scan("-", "--sink", "file:out.jsonl", stdin=log.read_bytes())
    assert ids(work / "out.jsonl") == [one["id"] for one in done.alerts]


def test_a_receiver_over_the_network(scan: Scan, log: Path) -> None:
    """Syslog frames with each alert's id."""
    with Bytes() as server:
        done = scan("a.log", "--sink", f"syslog+tcp://127.0.0.1:{server.port}")
        frames = b"".join(all_frames(server.received))
    assert done.status == 1
    assert all(f'id="{one["id"]}"'.encode() in frames for one in done.alerts)


def test_what_is_not_delivered_is_told_and_kept(scan: Scan, log: Path, work: Path) -> None:
    """Exit status 3; the other sink has everything; a scan with the kept state sends the rest."""
    sink = "file:later/out.jsonl"
    done = scan(
        "a.log",
        "--sink",
        sink,
        "--sink",
        "file:b.jsonl",
        "--sink-deadline",
        "0.5",
        env={"TMPDIR": str(work)},
    )
    assert done.status == 3
    assert len(ids(work / "b.jsonl")) == 3
    assert (
        f"error: sink {sink}: 3 alerts were not delivered in 0.5 s: cannot write: no such file or directory"  # noqa: E501
        in done.err
    )
    kept = re.search(r"kept in (\S+): a scan with --state", done.err)
    assert kept is not None
    (work / "later").mkdir()
    (work / "empty.log").touch()
    again = scan("empty.log", "--state", kept[1], "--sink", sink, "--sink", "file:b.jsonl")
    assert again.status == 0
    assert ids(work / "later/out.jsonl") == [one["id"] for one in done.alerts]
    assert len(ids(work / "b.jsonl")) == 3


def test_what_is_dropped_is_told(scan: Scan, work: Path) -> None:
    """A sink that is down keeps the newest that its queue holds, and the scan does not wait for it;
    exit status 3.
    """
    (work / "many.log").write_text(
        "".join(f"GET /?t={jws({'iss': str(number)})} HTTP/1.1\n" for number in range(2000))
    )
    sink = "file:later/out.jsonl?queue=65536&when_full=drop-oldest&name=later"
    done = scan(
        "many.log",
        "--sink",
        sink,
        "--sink",
        "file:b.jsonl",
        "--sink-deadline",
        "0.5",
        "--state",
        "state",
    )
    assert done.status == 3
    assert len(ids(work / "b.jsonl")) == 2000
    told = re.search(r"error: sink later: (\d+) alerts were dropped: its queue was full", done.err)
    left = re.search(r"error: sink later: (\d+) alerts were not delivered", done.err)
    assert told is not None
    assert left is not None
    assert int(told[1]) + int(left[1]) == 2000


def test_what_is_refused_is_told_and_kept(scan: Scan, log: Path, work: Path) -> None:
    """A receiver that takes none of them: dead letters in the state, exit status 3."""
    with Web(otherwise=lambda _: Answer(400, b"no")) as web:
        done = scan("a.log", "--state", "state", "--sink", f"otlp+http://{web.address}?name=otel")
    assert done.status == 3
    assert "error: sink otel: 3 alerts were refused: see `jwtleak state dead-letters`" in done.err


def test_a_resumed_scan_sends_each_alert_once(scan: Scan, log: Path, work: Path) -> None:
    """What an earlier run has sent is not sent again."""
    for _ in range(2):
        scan(
            "a.log",
            "--state",
            "state",
            "--resume",
            "--sink",
            "file:out.jsonl",
            "-o",
            "alerts.jsonl",
        )
    assert len(ids(work / "out.jsonl")) == 3


@pytest.mark.parametrize("option", ["--config", "-c", "--sink-config"])
def test_a_configuration_of_sinks(scan: Scan, log: Path, work: Path, option: str) -> None:
    """With its routes; `[tail]` is for tail. The old name of the option still works."""
    (work / "c.toml").write_text(
        """
        [tail]
        paths = ["x"]
        [[sink]]
        url = "file:all"
        [[sink]]
        url = "file:none"
        when = 'severity == "low"'
        """
    )
    assert scan("a.log", option, "c.toml").status == 1
    assert len(ids(work / "all")) == 3
    assert not (work / "none").exists()


@pytest.mark.parametrize("option", ["--config", "--sink-config"])
def test_the_whole_file_counts(scan: Scan, log: Path, work: Path, option: str) -> None:
    """The policy of the file that names the sinks is applied: what it keeps back is not sent."""
    allow = '[[allow]]\nissuer = "0"\nreason = "known"\n'
    (work / "c.toml").write_text(allow + '[[sink]]\nurl = "file:out"\n')
    done = scan("a.log", option, "c.toml")
    assert len(done.alerts) == 2
    assert ids(work / "out") == [alert["id"] for alert in done.alerts]


def test_sinks_of_the_command_line_replace_those_of_the_file(
    scan: Scan, log: Path, work: Path
) -> None:
    """As in `tail`."""
    (work / "c.toml").write_text('[[sink]]\nurl = "file:a"\n')
    assert scan("a.log", "--config", "c.toml", "--sink", "file:b").status == 1
    assert [(work / name).exists() for name in "ab"] == [False, True]


def test_two_files(scan: Scan, log: Path, work: Path) -> None:
    """With both names of the option, the sinks are those of the old one, as before."""
    (work / "p.toml").write_text('[[allow]]\nissuer = "0"\nreason = "known"\n')
    (work / "s.toml").write_text('[[sink]]\nurl = "file:out"\n')
    assert scan("a.log", "--config", "p.toml", "--sink-config", "s.toml").status == 1
    assert len(ids(work / "out")) == 2


def test_a_mistake_in_a_sink_of_the_configuration(scan: Scan, log: Path, work: Path) -> None:
    """It ends the scan before it begins, and names the file and the table."""
    (work / "c.toml").write_text('[[sink]]\nurl = "ftp://h"\n')
    done = scan("a.log", "--config", "c.toml", "-o", "out.jsonl")
    assert (done.status, "there is no sink 'ftp'" in done.err) == (2, True)
    assert not (work / "out.jsonl").exists()


def test_wrong_settings_end_the_scan_before_it_begins(scan: Scan, log: Path, work: Path) -> None:
    """Exit status 2; FILE of --output is not touched."""
    (work / "out.jsonl").write_text("kept")
    for url, says in (
        ("ftp://h", "there is no sink 'ftp'"),
        ("file:x?when=y", "when: "),
        ("hec+https://h?token=x", "not written here"),
    ):
        done = scan("a.log", "--sink", url, "-o", "out.jsonl")
        assert (done.status, says in done.err) == (2, True), done.err
    assert (work / "out.jsonl").read_text() == "kept"
