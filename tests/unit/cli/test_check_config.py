"""The command `check-config`."""

from __future__ import annotations

from pathlib import Path

from tailing import leak

from .conftest import Run


def test_it_says_what_would_be_done(run: Run, work: Path) -> None:
    """Files with where reading would begin, sinks, state, metrics; nothing is made."""
    (work / "a.log").write_bytes(leak(1))
    (work / "b.log").write_bytes(b"")
    (work / "tail.toml").write_text(
        "[[sink]]\nurl = 'syslog+tcp://127.0.0.1:1'\nname = 'siem'\nwhen = 'severity >= \"high\"'\n"
    )
    done = run(
        "check-config",
        ".",
        "--exclude",
        "*.toml",
        "-c",
        "tail.toml",
        "--state",
        "state",
        "--metrics",
        "9464",
    )
    first, second, sink, state, metrics = done.out.decode().splitlines()
    assert first == f"follow  {work}/a.log  from the beginning, {len(leak(1))} bytes to read"
    assert second.startswith(f"follow  {work}/b.log")
    assert sink.startswith("sink    siem  ")
    assert sink.endswith('when severity >= "high"')
    assert (state, metrics, done.status, done.err) == ("state   state", "metrics 9464", 0, "")
    assert not (work / "state").exists()


def test_it_knows_what_was_read(run: Run, work: Path) -> None:
    """After a run reading goes on where that one was."""
    (work / "a.log").write_bytes(leak(1))
    run("tail", "a.log", "--once", "--state", "state")
    done = run("check-config", "a.log", "--state", "state")
    assert b"from byte " in done.out


def test_standard_input(run: Run) -> None:
    """It is named, and not read."""
    done = run("check-config", "-", "--state", "state")
    assert done.out.startswith(b"follow  standard input  until it ends\n")
    assert (done.status, done.err) == (0, "")


def test_nothing_to_follow(run: Run) -> None:
    """Settings that are sound but meet no file give 1; those that are not, 2."""
    done = run("check-config", "missing-*.log")
    assert done.status == 1
    assert "nothing is there" in done.err
    assert run("check-config", ".", "--sink", "nowhere://x").status == 2
