"""`jwtleak test-sink`, as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from receiving import Answer, Web

Run = Callable[..., Any]


def test_a_sink_that_works(run: Run, work: Path) -> None:
    """The alert is there, and the words say so."""
    done = run("test-sink", "file:out.jsonl?format=ecs", "stdout")
    assert done.status == 0
    event = json.loads((work / "out.jsonl").read_bytes())["event"]
    assert event["action"] == "test-alert"
    assert "jwtleak: file:out.jsonl: taken after 0." in done.err
    assert f"look for event {event['id']}; delivery is at least once" in done.err
    assert [one["event"] for one in done.alerts] == ["test"]


def test_a_sink_that_does_not(run: Run) -> None:
    """Exit status 3, the receiver's words, a hint; the others are tested all the same."""
    with Web(Answer(403, b'{"text":"Invalid token","code":4}')) as web:
        done = run(
            "test-sink",
            f"hec+http://{web.address}?token_env=HEC",
            "stdout",
            env={"HEC": "s3cr3t-s3cr3t"},
        )
    assert done.status == 3
    assert (
        f'jwtleak: error: hec+http://{web.address}: not taken: HTTP 403 {{"text":"Invalid token","code":4}}'  # noqa: E501
        in done.err
    )
    assert "jwtleak: hint: the receiver does not accept the credential" in done.err
    assert "stdout: taken" in done.err
    assert "s3cr3t" not in done.err


def test_the_sinks_of_a_configuration(run: Run, work: Path) -> None:
    """All of them, or those that are named."""
    (work / "c.toml").write_text(
        '[[sink]]\nurl = "file:a"\nname = "one"\n[[sink]]\nurl = "file:b"\nname = "two"\n'
    )
    assert run("test-sink", "--config", "c.toml", "--name", "two").status == 0
    assert [(work / name).exists() for name in "ab"] == [False, True]
    assert run("test-sink", "-c", "c.toml").status == 0
    assert (work / "a").exists()
    (work / "a").unlink()
    assert run("test-sink", "--sink-config", "c.toml").status == 0
    assert (work / "a").exists()


def test_urls_replace_the_configuration(run: Run, work: Path) -> None:
    """As for the other commands."""
    (work / "c.toml").write_text('[[sink]]\nurl = "file:a"\n')
    assert run("test-sink", "-c", "c.toml", "file:b").status == 0
    assert [(work / name).exists() for name in "ab"] == [False, True]


def test_wrong_usage(run: Run) -> None:
    """Exit status 2, in words; a credential in a URL is refused and not repeated."""
    for arguments, says in (
        ([], "nothing to test"),
        (["stdout", "--name", "x"], "there is no sink named x: the configuration has stdout"),
        (["ftp://h"], "there is no sink 'ftp'"),
        (["hec+https://h:1?token=pa55word"], "a credential is not written here"),
        (["hec+https://me:pa55word@h"], "must not hold credentials"),
        (["stdout?format=xml"], "there is no format 'xml'"),
    ):
        done = run("test-sink", *arguments)
        assert (done.status, says in done.err) == (2, True), done.err
        assert "pa55word" not in done.err
