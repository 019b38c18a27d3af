"""The library's door: scan, follow, redact, alert."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from encodings_of_tokens import BINARY, TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from minting import NOW, jws, kinds, sha256
from msgspec.structs import replace

import jwtleak
from jwtleak.alerts.alert import Alert, to_json
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.patterns import load_channels
from jwtleak.sources.interface import ArchiveLimits

TOKEN = jws()
PATTERNS = Path(__file__).parents[2] / "docs" / "examples" / "patterns"
LINE = f"2026-01-15T12:00:00Z GET /cb?access_token={TOKEN} HTTP/1.1\n".encode()


def test_the_door_is_complete() -> None:
    """Everything that is promised is there, and nothing else is made up."""
    for name in jwtleak.__all__:
        assert getattr(jwtleak, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = jwtleak.nothing  # type: ignore[attr-defined]


def test_scan() -> None:
    """`scan` gives all findings in order."""
    (one, two) = jwtleak.scan(LINE + LINE)
    assert (one.sha256, one.line, one.channel.type, one.channel.name) == (
        sha256(TOKEN),
        1,
        "url_query",
        "access_token",
    )
    assert (two.line, two.offset - one.offset) == (2, len(LINE))
    assert jwtleak.scan(b"") == []


def test_finder() -> None:
    """A finder gives what `scan` gives, piece by piece, and is ready for another stream after
    `close`.
    """
    finder = jwtleak.Finder()
    for _ in range(2):
        found = [one for at in range(0, len(LINE), 7) for one in finder.feed(LINE[at : at + 7])]
        assert found + finder.close() == jwtleak.scan(LINE)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("encoding", {**TEXT, **BINARY})
def test_redact(kind: str, encoding: str) -> None:
    """In redacted bytes there is no token left, and nothing else is missing."""
    encoded = {**TEXT, **BINARY}[encoding][0](kinds()[kind])
    wide = next(
        (
            name
            for name in ("utf-16le", "utf-16be", "utf-32le", "utf-32be")
            if encoding.startswith(name)
        ),
        "ascii",
    )
    cleaned = jwtleak.redact("\n<<".encode(wide) + encoded + ">>\n".encode(wide))
    assert jwtleak.scan(cleaned) == []
    assert b"[JWT " + sha256(kinds()[kind])[:8].encode() + b"]" in cleaned
    assert cleaned.startswith("\n<<".encode(wide))
    assert cleaned.endswith(">>\n".encode(wide))
    # What is left of an encoding around the token, such as the JSON in base64, is short.
    assert len(cleaned) < 60


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_redacting_nothing_changes_nothing(data: bytes) -> None:
    """Bytes without a token come back as they are."""
    if not jwtleak.scan(data):
        assert jwtleak.redact(data) == data


def test_alert() -> None:
    """A finding becomes the alert that the command prints, with the id that it has there."""
    (one,) = jwtleak.scan(LINE)
    value = json.loads(to_json(jwtleak.alert(one, now=NOW, key=b"k", path="a.log")))
    assert (value["id"], value["location"]["path"], value["token"]["status"]) == (
        one.id,
        "a.log",
        "live",
    )
    named = json.loads(to_json(jwtleak.alert(one, now=NOW, key=b"k", name="1" * 40)))
    assert (named["id"], named["location"]["source"]) == ("1" * 40, "stdin")


def test_a_finding_without_an_id_needs_a_name() -> None:
    """No alert goes out under a made-up id."""
    bare = Engine(Channels(load_channels())).feed(LINE)[0]
    with pytest.raises(ValueError, match="name"):
        jwtleak.alert(bare, now=NOW, key=b"k")
    assert jwtleak.alert(bare, now=NOW, key=b"k", name="1" * 40).id == "1" * 40


def command(*args: str, cwd: Path, key: bytes) -> tuple[list[bytes], str]:
    """The lines that `jwtleak scan` writes, and what it says; `key` is the installation's."""
    state = cwd.parent / "state"
    (state / "jwtleak").mkdir(parents=True, exist_ok=True)
    (state / "jwtleak" / "subject.key").write_bytes(key)
    done = subprocess.run(
        [sys.executable, "-m", "jwtleak", "scan", f"--now={NOW}", *args],
        cwd=cwd,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        capture_output=True,
        check=False,
    )
    return done.stdout.splitlines(), done.stderr.decode()


KEY = bytes(range(32))
OPTIONS = jwtleak.Options(now=NOW, key=KEY, host=os.uname().nodename)


def lines(alerts: Iterable[Alert]) -> list[bytes]:
    """Alerts as the command writes them."""
    return [to_json(alert) for alert in alerts]


def same(ours: list[bytes], theirs: list[bytes]) -> bool:
    """Equal, but for the moment at which they were made."""
    made = re.compile(rb'"detected_at":"[^"]*"')
    return [made.sub(b"", line) for line in ours] == [made.sub(b"", line) for line in theirs]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory: plain, compressed, a tar with two members, another kind of token in each."""
    place = tmp_path / "logs"
    (place / "old").mkdir(parents=True)
    texts = [
        b"".join(
            b"%d GET /?access_token=%s x\n" % (n, token.encode()) for token in kinds().values()
        )
        + f"again {jws()} {jws({'iss': str(n)})}\n".encode()
        for n in range(3)
    ]
    (place / "a.log").write_bytes(texts[0])
    (place / "old" / "b.gz").write_bytes(gzip.compress(texts[1], mtime=0))
    with tarfile.open(place / "old" / "c.tar.gz", "w:gz") as archive:
        for name, text in (("x.log", texts[2]), ("y.log", texts[0])):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return place


@pytest.mark.parametrize(
    ("options", "args"),
    [
        ({}, []),
        ({"min_confidence": "low", "every": True}, ["--min-confidence=low", "--every"]),
        ({"min_severity": "high"}, ["--min-severity=high"]),
        ({"statuses": frozenset({"live"})}, ["--status=live"]),
        ({"limits": ArchiveLimits(max_depth=0)}, ["--max-depth=0"]),
        ({"config": "../c.toml"}, ["--config=../c.toml"]),
        ({"config": "../c.toml", "show_suppressed": True}, ["-c../c.toml", "--show-suppressed"]),
        ({"weak_keys": "../words"}, ["--weak-keys=../words"]),
        ({"patterns": (str(PATTERNS),)}, [f"--patterns={PATTERNS}"]),
    ],
)
def test_scan_path_equals_the_command(
    logs: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], args: list[str]
) -> None:
    """A directory with archives, whatever the options: the same alerts, ids and order, byte for
    byte.
    """
    (logs.parent / "c.toml").write_text('[[allow]]\nissuer = "*"\nreason = "known"\n')
    (logs.parent / "words").write_text("a throw-away key of the test suite\n")
    monkeypatch.chdir(logs)
    theirs, _ = command(*args, ".", cwd=logs, key=KEY)
    notices: list[jwtleak.Notice] = []
    ours = lines(jwtleak.scan_path(".", replace(OPTIONS, **options), notice=notices.append))
    assert same(ours, theirs)
    assert theirs or "config" in options
    assert bool(notices) == ("limits" in options)


def test_scan_path_of_one_file(logs: Path) -> None:
    """The ids are those of the findings in its bytes."""
    path = logs / "a.log"
    ours = list(jwtleak.scan_path(path, replace(OPTIONS, every=True, min_confidence="low")))
    assert [alert.id for alert in ours] == [one.id for one in jwtleak.scan(path.read_bytes())]


def test_scan_bytes_equals_the_command(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes in memory, plain and archives, give what a file with the same bytes gives."""
    monkeypatch.chdir(logs)
    for name in ("a.log", "old/b.gz", "old/c.tar.gz"):
        theirs, _ = command(name, cwd=logs, key=KEY)
        data = (logs / name).read_bytes()
        ours = lines(jwtleak.scan_bytes(data, OPTIONS, name=name))
        assert same(ours, theirs)
        assert theirs
    (found, *_) = jwtleak.scan_bytes(LINE, OPTIONS)
    assert found.location.source == "stdin"


def test_scan_bytes_of_a_damaged_archive(tmp_path: Path) -> None:
    """What decodes is scanned, then the raw bytes, and the damage is reported, as for a file."""
    data = bytearray(gzip.compress(LINE * 200, mtime=0) + LINE)
    data[40:60] = bytes(20)
    (tmp_path / "bad.gz").write_bytes(data)
    notices: list[jwtleak.Notice] = []
    other: list[jwtleak.Notice] = []
    name = str(tmp_path / "bad.gz")
    ours = lines(jwtleak.scan_bytes(bytes(data), OPTIONS, name=name, notice=notices.append))
    assert same(ours, lines(jwtleak.scan_path(name, OPTIONS, notice=other.append)))
    assert notices == other != []


def test_globs_and_processes(logs: Path) -> None:
    """`include` and `exclude` choose, and workers find the same."""
    every = lines(jwtleak.scan_path(logs, OPTIONS))
    assert same(lines(jwtleak.scan_path(logs, OPTIONS, jobs=2)), every)
    chosen = list(jwtleak.scan_path(logs, OPTIONS, include=["*.log"], exclude=["b*"]))
    assert {alert.location.path for alert in chosen} == {str(logs / "a.log")}


def test_what_cannot_be_read_is_reported(logs: Path) -> None:
    """To the caller's function, or as a warning of Python's; never passed over."""
    (logs / "bad.gz").write_bytes(gzip.compress(LINE * 100)[:-20])
    notices: list[jwtleak.Notice] = []
    found = list(jwtleak.scan_path(logs / "bad.gz", OPTIONS, notice=notices.append))
    assert [(notice.kind, notice.path) for notice in notices] == [
        ("truncated", str(logs / "bad.gz"))
    ]
    assert found
    with pytest.warns(UserWarning, match="no such file"):
        assert list(jwtleak.scan_path(logs / "nothing", OPTIONS)) == []


def test_wrong_options_raise_before_anything_is_read(tmp_path: Path) -> None:
    """A configuration that is wrong is the error that the command shows."""
    (tmp_path / "c.toml").write_text("[tial]\n")
    with pytest.raises(jwtleak.JwtleakError, match="tial"):
        jwtleak.scan_path(tmp_path, jwtleak.Options(config=str(tmp_path / "c.toml"), key=KEY))
