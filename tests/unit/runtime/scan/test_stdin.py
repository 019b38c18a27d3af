"""Following a stream whose writer pauses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from minting import jws, sha256
from pauses import Script

from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.runtime.scan.stdin import CONTEXT_WAIT, GROWING_WAIT, InputWait, always, follow


def run(script: Script) -> Iterator[list[str]]:
    """The fingerprints of each step."""
    for findings in follow(Engine(Channels(())), InputWait(script, script.wait)):
        yield [one.sha256 for one in findings]


TOKEN = jws().encode()
FOUND = [sha256(jws())]


def test_a_whole_line_comes_at_once():
    """A token whose line is complete is given without waiting."""
    script = Script(TOKEN + b"\n", b"more\n")
    assert list(run(script)) == [FOUND, [], []]
    assert script.waits == []


def test_the_rest_of_a_line_is_awaited_shortly():
    """A token that has ended waits CONTEXT_WAIT for the rest of its line."""
    script = Script(TOKEN + b" and", None, b" more\n")
    assert list(run(script)) == [[], FOUND, [], []]
    assert script.waits == [CONTEXT_WAIT]


def test_a_growing_token_is_awaited_longer():
    """A token without an end waits GROWING_WAIT, and is given once although it goes on after
    that.
    """
    script = Script(TOKEN, None, b" more\n")
    assert list(run(script)) == [[], FOUND, [], []]
    assert script.waits == [GROWING_WAIT]


def test_a_token_in_parts():
    """A token that comes in parts without a silence is one."""
    script = Script(TOKEN[:50], TOKEN[50:120], TOKEN[120:] + b"\n")
    assert list(run(script)) == [[], [], FOUND, []]


def test_the_end_gives_what_is_held():
    """At the end of the stream nothing is awaited."""
    assert list(run(Script(TOKEN))) == [[], FOUND]


def test_an_interrupt_gives_what_is_held():
    """An interrupt while reading gives out what is held, then goes on its way."""
    steps = run(Script(TOKEN, KeyboardInterrupt))
    assert [next(steps), next(steps)] == [[], FOUND]
    with pytest.raises(KeyboardInterrupt):
        next(steps)


def test_unpacked_bytes_are_never_awaited():
    """What is unpacked has no silence."""
    assert always(0.0)
