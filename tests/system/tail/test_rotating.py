"""Logs that are rotated, split by a container runtime, or far behind."""

from __future__ import annotations

import gzip
import json
import os
import shutil

import pytest
from minting import jws, sha256

from .conftest import Tail, leak, until

ID = "ab" * 32
POD = "shop_web-5d4f-x_0f9a1b2c-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    "poll", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["events", "polling"]
)
def test_renamed(tail: Tail, poll: bool) -> None:
    """The rest of a renamed log and what is still written to it, and the new log, are read."""
    tail.start(*(["--poll"] if poll else []))
    tail.write("a.log", leak(1))
    tail.reported(1)
    with (tail.logs / "a.log").open("ab") as writer:
        writer.write(leak(2).encode())
        writer.flush()
        os.rename(tail.logs / "a.log", tail.logs / "a.log.1")
        tail.write("a.log", leak(3))
        writer.write(leak(4).encode())
    found = tail.reported(1, 2, 3, 4)
    assert [one["location"]["line"] for one in found] == [1, 2, 1, 3]
    assert len(tail.alerts) == 4


@pytest.mark.slow
def test_renamed_and_packed_while_stopped(tail: Tail) -> None:
    """What was written before a rotation that nobody saw is found in the packed file, with its
    line, and nothing twice.
    """
    tail.write("a.log", "first\n" + leak(1))
    tail.start().reported(1)
    assert tail.end() == 0
    tail.write("a.log", leak(2))
    with (
        (tail.logs / "a.log").open("rb") as old,
        gzip.open(tail.logs / "a.log.1.gz", "wb") as packed,
    ):
        shutil.copyfileobj(old, packed)
    (tail.logs / "a.log").unlink()
    tail.write("a.log", leak(3))
    tail.start()
    second, _ = tail.reported(2, 3)
    assert second["location"]["line"] == 3
    assert len(tail.alerts) == 3


def test_copied_and_truncated(tail: Tail) -> None:
    """A log that was copied, cut and written anew is read from its beginning, lines and all."""
    tail.start()
    tail.write("a.log", "x\n" * 50 + leak(1))
    tail.reported(1)
    shutil.copy(tail.logs / "a.log", tail.logs / "a.log.1")
    os.truncate(tail.logs / "a.log", 0)
    tail.write("a.log", leak(2))
    (found,) = tail.reported(2)
    assert found["location"]["line"] == 1
    tail.write("a.log", leak(3))
    tail.reported(3)
    assert len(tail.alerts) == 3


def cri(stream: str, tag: str, content: str) -> str:
    """A record of a Kubernetes node."""
    return f"2026-01-15T12:00:00.123456789Z {stream} {tag} {content}\n"


def test_records_of_a_pod_over_a_rotation(tail: Tail) -> None:
    """A line that the runtime split, with the other stream between, rotated in the middle: found
    whole, with its pod.
    """
    pod = tail.logs / POD / "app"
    pod.mkdir(parents=True)
    tail.start()
    token = jws()
    tail.write(f"{POD}/app/0.log", leak(2))
    tail.reported(2)
    tail.write(f"{POD}/app/0.log", cri("stdout", "P", f"t={token[:-30]}"))
    os.rename(pod / "0.log", pod / "0.log.20260115-120000")
    tail.write(
        f"{POD}/app/0.log",
        cri("stderr", "F", "x") + cri("stdout", "F", f"{token[-30:]} end") + leak(1),
    )
    (found,) = until(
        lambda: [one for one in tail.alerts if one["token"]["sha256"] == sha256(token)],
        "the joined one",
    )
    assert found["location"]["container"] == {
        "namespace": "shop",
        "pod": "web-5d4f-x",
        "pod_uid": POD.rpartition("_")[2],
        "name": "app",
        "stream": "stdout",
    }
    tail.reported(1)


def test_records_of_docker(tail: Tail) -> None:
    """Parts of 16 KiB of two streams that stand among one another are joined each with its own."""
    (tail.logs / ID).mkdir()
    out, err = jws({"n": "out"}), jws({"n": "err"}, "RS256")

    def record(stream: str, content: str) -> str:
        return (
            json.dumps(
                {"log": content, "stream": stream, "time": "2026-01-15T12:00:00Z"},
                separators=(",", ":"),
            )
            + "\n"
        )

    tail.start()
    tail.write(
        f"{ID}/{ID}-json.log",
        record("stdout", "x" * 16_200 + f" t={out[:-30]}")
        + record("stderr", f"t={err[:200]}")
        + record("stderr", f"{err[200:]} end\n")
        + record("stdout", f"{out[-30:]} end\n"),
    )
    found = until(lambda: len(tail.alerts) >= 2 and tail.alerts, "both")
    assert {(one["token"]["sha256"], one["location"]["container"]["stream"]) for one in found} == {
        (sha256(out), "stdout"), (sha256(err), "stderr"),
    }  # fmt: skip
    assert {one["location"]["container"]["id"] for one in found} == {ID}


@pytest.mark.slow
def test_a_hundred_quiet_files_beside_a_backlog(tail: Tail) -> None:
    """Fresh lines are reported while a long backlog is still read."""
    (tail.logs / "old.log").write_bytes(
        b"2026-01-15T12:00:01Z web-01 GET /healthz 200 12\n" * 1_000_000
    )
    tail.write("old.log", leak(1000))
    tail.start("--rate", "2m")
    for number in range(100):
        tail.write(f"{number}.log", leak(number))
    tail.reported(*range(100))
    assert tail.of(1000) == []
