"""No token comes out of the daemon: not in alerts, words, numbers, or what it keeps on disk."""

from __future__ import annotations

import os
import re
import urllib.request

import pytest
from forbidden import Checker, corpus
from minting import jws

from .conftest import Tail, until


@pytest.mark.slow
def test_nothing_of_a_token_is_said_or_kept(tail: Tail) -> None:
    """Tokens of every kind in every channel, in a directory and files named like tokens, rotated,
    repeated, cut by a crash: no forbidden slice in alerts, in the log, in the metrics or in any
    file of the state, closed or as a crash left it.
    """
    checker = Checker()
    named = checker.forbid(jws({"n": "name"}))
    whole = b"\n".join(text for _, text in corpus(checker))
    (tail.logs / named[:200]).mkdir()
    file = f"{named[:200]}/{named[-80:]}.log"
    tail.start("--metrics", "0", "--window", "1s", "--log-format", "json")
    tail.write(file, whole)
    until(lambda: len(tail.alerts) > 100, "alerts")
    tail.write(file, whole[: len(whole) // 2])
    os.rename(tail.logs / file, tail.logs / f"{file}.1")
    os.mkfifo(tail.logs / f"{named}.pipe")
    until(lambda: any(one["event"] == "repeat" for one in tail.alerts), "a repeat")
    port = re.search(r"port (\d+)", tail.said)
    assert port is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/metrics") as answer:
        checker.check(answer.read())
    tail.kill()
    _check(checker, tail)
    tail.start()
    assert tail.end() == 0
    _check(checker, tail)
    for path in tail.logs.parent.iterdir():
        if path.is_file():
            checker.check(path.read_bytes())


def _check(checker: Checker, tail: Tail) -> None:
    for path in tail.state.rglob("*"):
        if path.is_file():
            checker.check(path.read_bytes())
