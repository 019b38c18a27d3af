"""The engine on records of container runtimes: the output stream of each finding."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minting import jws

from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.patterns import load_channels
from jwtleak.types import Finding

ENGINE = Engine(Channels(load_channels()))
STAMP = "2026-11-23T10:15:30.123456789Z"


def cri(output: str, content: str, tag: str = "F") -> bytes:
    """One CRI record."""
    return f"{STAMP} {output} {tag} {content}\n".encode()


def docker(output: str, content: str) -> bytes:
    """One json-file record."""
    return (
        json.dumps(
            {"log": content, "stream": output, "time": STAMP}, separators=(",", ":")
        ).encode()
        + b"\n"
    )


def outputs(data: bytes, cuts: tuple[int, ...] = ()) -> list[str | None]:
    """The output streams of the findings of `data`, fed in pieces that end at `cuts`."""
    ENGINE.open()
    found: list[Finding] = []
    for first, last in pairwise([0, *cuts, len(data)]):
        found += ENGINE.feed(data[first:last])
    return [one.output for one in found + ENGINE.close()]


def test_each_finding_has_the_output_of_its_record() -> None:
    """Records of both streams and lines that are no record stand side by side."""
    text = f"GET /cb?access_token={jws()} 200"
    data = (
        cri("stdout", text)
        + cri("stderr", text)
        + text.encode()
        + b"\n"
        + docker("stderr", text + "\n")
    )
    assert outputs(data) == ["stdout", "stderr", None, "stderr"]


def test_split_records() -> None:
    """A token that the runtime split has the output of the record in which it begins, though the
    record is of 16 KiB.
    """
    token = jws()
    for make in (
        lambda out, text, tag: cri(out, text, tag),
        lambda out, text, tag: docker(out, text + "\n" * (tag == "F")),
    ):
        first, last = "x" * 16_000 + " " + token[:100], token[100:] + " " + "y" * 3000
        data = (
            make("stderr", first, "P") + make("stdout", "between", "F") + make("stderr", last, "F")
        )
        assert outputs(data) == ["stderr"]


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # time is that of the machine, not of the code
@given(st.lists(st.sampled_from(["stdout", "stderr"]), min_size=1, max_size=4), st.data())
def test_cuts_change_nothing(names: list[str], data: st.DataObject) -> None:
    """However records are cut, the outputs are the same."""
    text = f'say "{jws()}" \\ {"z" * 50}'
    log = b"".join(cri(one, text) + docker(one, text + "\n") for one in names)
    cuts = tuple(sorted(data.draw(st.lists(st.integers(1, len(log) - 1), max_size=6))))
    assert outputs(log, cuts) == [one for one in names for _ in range(2)]


def test_a_resumed_stream_knows_the_record() -> None:
    """A run that begins in the middle, as far before a token as one that resumes does, sees the
    same output.
    """
    log = b"".join(cri("stdout", "x" * 200) for _ in range(3000)) + cri("stderr", jws())
    offset = len(log) - 500 - LOOKBACK - LOOKAHEAD
    ENGINE.open(offset=offset)
    assert [one.output for one in ENGINE.feed(log[offset:]) + ENGINE.close()] == ["stderr"]


def test_a_line_whose_beginning_is_out_of_reach() -> None:
    """What begins further back than is kept is not guessed."""
    assert outputs(cri("stdout", "x" * (LOOKBACK + 100) + " " + jws())) == [None]
