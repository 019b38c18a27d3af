"""What must hold for the engine whatever the bytes are and however they are cut. Used by the fuzzer
and by its finds.

Each check raises AssertionError with offsets and lengths only: an input that breaks a promise may
hold a real token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from jwtleak.alerts.alert import to_json
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.api import redact
from jwtleak.core.channel import Channels
from jwtleak.core.engine import READ_SIZE, Engine
from jwtleak.patterns import load_channels
from jwtleak.types import Finding, StreamInfo, Token

ENGINE = Engine(Channels(load_channels()))
MTIME = 1_768_478_500_000
SLICE = 8  # the promise: no 8 characters of a payload or a signature come out
BUILDER = Builder(
    StreamInfo("file", "/var/log/app.log"), AlertContext(1_768_478_400.0, "web-01", b"k" * 32)
)

# What an excerpt may show although it is as long as a slice: words and numbers, joined by `-` and
# `_`.
_WORD = r"(?:[A-Z]?[a-z]{1,14}|[A-Z]{1,14}|[0-9]{1,10})"
_WORDS = re.compile(rf"[-_]*{_WORD}(?:[-_]+{_WORD})*[-_]*")
_RUNS = re.compile(r"[\w-]{8,}", re.ASCII)

# Behind this much filler the engine has to move what it holds to the front of its buffer.
FILLER = b"2026-01-15T12:00:01Z web-01 GET /healthz 200 12\n" * (READ_SIZE // 40)


def findings(data: bytes, cuts: Iterable[int] = ()) -> list[Finding]:
    """The findings of `data`, fed in pieces that end at `cuts`."""
    ENGINE.open(mtime_ms=MTIME)
    found: list[Finding] = []
    for first, last in pairwise([0, *cuts, len(data)]):
        found += ENGINE.feed(data[first:last])
    return found + ENGINE.close()


def check_resume(data: bytes, cuts: Iterable[int]) -> None:
    """No finding begins before an offset that was called judged: whoever goes on from there would
    miss it.
    """
    ENGINE.open(mtime_ms=MTIME)
    resumed = 0
    for first, last in pairwise([0, *cuts, len(data)]):
        found = (
            ENGINE.feed(data[first:last])
            if last < len(data)
            else ENGINE.feed(data[first:]) + ENGINE.close()
        )
        for one in found:
            assert resumed <= one.offset, (
                f"a token at {one.offset} although all before {resumed} was judged"
            )
        resumed = max(resumed, ENGINE.resume_offset)


def places(found: list[Finding]) -> list[tuple[int, int, tuple[str, ...]]]:
    """Where the findings are, for messages."""
    return [(one.offset, one.length, one.encodings) for one in found]


def check_cuts(data: bytes, cuts: list[int], whole: list[Finding]) -> None:
    """The cut feed gives what the whole feed gives, each field equal."""
    found = findings(data, cuts)
    assert places(found) == places(whole), (
        f"cut changes places: at {cuts}: {places(found)}, whole: {places(whole)}"
    )
    for one, other in zip(found, whole, strict=True):
        fields = [
            name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)
        ]
        assert not fields, f"cut changes {'+'.join(fields)}: at {cuts}, of {places(whole)}"


# Records that a logger split: those of another stream may stand among them.
SPLIT = (("cri",), ("docker",))


def check_spans(data: bytes, whole: list[Finding]) -> None:
    """Spans lie in the data, in order, and do not overlap, but for tokens of another stream that
    stand whole among the records of a split one, and split ones whose records stand among each
    other's; lines and columns are those of the offset.
    """
    done = around = 0
    for one in whole:
        end = one.offset + one.length
        split = one.encodings[:1] in SPLIT
        assert done <= one.offset or end <= around or (split and one.offset < around), (
            f"spans overlap: {places(whole)}"
        )
        assert 0 < one.length <= len(data) - one.offset, (
            f"span at {one.offset} of length {one.length} in {len(data)}"
        )
        done = max(done, end)
        around = max(around, end) if split else around
        before = data[: one.offset]
        assert one.line == before.count(b"\n") + 1, f"line {one.line} of offset {one.offset}"
        assert one.column == one.offset - before.rfind(b"\n"), (
            f"column {one.column} of offset {one.offset}"
        )


def check_excerpt(one: Finding) -> None:
    """No eight characters of a payload or signature are in the excerpt, but in what reads as words
    or a number.
    """
    assert isinstance(one.token, Token)
    runs = [run for run in _RUNS.findall(one.excerpt) if _WORDS.fullmatch(run) is None]
    for segment in one.token.raw.reveal().decode("latin-1").split(".")[1:]:
        slices = {segment[at : at + SLICE] for at in range(len(segment) - SLICE + 1)}
        for run in runs:
            shown = any(run[at : at + SLICE] in slices for at in range(len(run) - SLICE + 1))
            assert not shown, f"the excerpt of offset {one.offset} shows a part of its token"


def check_alert(one: Finding) -> None:
    """An alert can be made of every finding, as one line of JSON."""
    line = to_json(BUILDER.build(one, "0" * 40))
    assert b"\n" not in line


def check_redacted(data: bytes, whole: list[Finding]) -> None:
    """No whole token is left behind redaction, but one that a clipped or odd finding had hidden."""
    left = [
        one
        for one in findings(redact(data))
        if isinstance(one.token, Token) and one.token.integrity == "whole"
    ]
    if all(isinstance(one.token, Token) and one.token.integrity == "whole" for one in whole):
        assert not left, (
            f"left behind {'+'.join(left[0].encodings)}: {places(left)}; found: {places(whole)}"
        )


def check(data: bytes, cuts: Iterable[int]) -> list[Finding]:
    """All of the above; the findings of the whole."""
    whole = findings(data)
    check_cuts(data, sorted({cut for cut in cuts if 0 < cut < len(data)}), whole)
    check_spans(data, whole)
    for one in whole:
        check_excerpt(one)
        check_alert(one)
    check_redacted(data, whole)
    return whole
