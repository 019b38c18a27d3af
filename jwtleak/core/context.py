"""The place of a leak: its line and column, the time and the stream that its line states, its
channel, an excerpt.

Promises: pure; depends on the bytes around the leak alone, at most LOOKBACK before and RECORD after
it; `wants_more` says whether bytes that are still to come could change it.
"""

from __future__ import annotations

from typing import NamedTuple

from jwtleak.core.channel import Channels
from jwtleak.core.compact import Buffer
from jwtleak.core.custom_patterns import Spot
from jwtleak.core.logtime import logged_at, needs_rest_of_line
from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import CONTEXT, LOOKBACK
from jwtleak.core.sanitize import excerpt
from jwtleak.core.unwrap.container_logs import output_of
from jwtleak.types import UNKNOWN_CHANNEL, Finding, OutputStream, Token

# After a token, an excerpt shows this much of its line; a JSON record may give its time at the end
# of the line.
_AFTER, RECORD = 96, 4096
_LINE = 8 * 1024  # the longest beginning of a line that is searched for a time and a channel


class ContextWindow(NamedTuple):
    """What is there of a stream: `buffer[:end]`, of which the first byte stands at offset `base`.
    `line_start` is the offset behind the last newline before that; `mtime_ms` is when the file was
    last written.
    """

    buffer: Buffer
    base: int
    end: int
    line_start: int
    mtime_ms: int | None


def wants_more(window: ContextWindow, leak: TokenMatch) -> bool:
    """Whether bytes that are still to come belong to what is said of `leak`."""
    if leak.after is not None and len(leak.after) < _AFTER and b"\n" not in leak.after:
        return True
    buffer, end = window.buffer, window.end
    room = end - leak.end
    if room >= RECORD or buffer.find(b"\n", leak.end, end) >= 0:
        return False
    return room < _reach(buffer, leak.start, _line_index(buffer, leak.start))


def finding_at(
    window: ContextWindow,
    leak: TokenMatch | Spot,
    sha256: str,
    line_number: int,
    channels: Channels,
) -> Finding:
    """The finding for `leak`, in line `line_number`."""
    buffer, base, end, _, mtime_ms = window
    start, stop = leak.start, leak.end
    begin = _line_index(buffer, start)
    limit = min(end, stop + _reach(buffer, start, begin))
    newline = buffer.find(b"\n", stop, limit)
    line = bytes(buffer[begin : newline if newline >= 0 else limit])
    output = _output(window, begin, line)
    before, after = leak.before, leak.after
    if before is None or after is None:
        at = start - begin
        before = line[max(0, at - CONTEXT) : at]
        after = line[at + stop - start :][:_AFTER]
    else:
        before, after = before[before.rfind(b"\n") + 1 :], after[:_AFTER].partition(b"\n")[0]
        if leak.encodings[0].startswith("utf"):
            line = before + after
    label = f"[JWT {sha256[:8]}]" if isinstance(leak.token, Token) else f"[SECRET {sha256[:8]}]"
    return Finding(
        token=leak.token,
        sha256=sha256,
        offset=base + start,
        length=stop - start,
        line=line_number,
        column=_column(window, start, begin),
        channel=channels.classify(before, after),
        encodings=leak.encodings,
        logged_at=logged_at(line, mtime_ms=mtime_ms),
        excerpt=excerpt(before, label, after),
        output=output,
    )


def repeat_at(window: ContextWindow, leak: TokenMatch | Spot, sha256: str) -> Finding:
    """The finding for `leak` where its token is known: nothing is looked at around it."""
    start = leak.start
    return Finding(
        token=leak.token,
        sha256=sha256,
        offset=window.base + start,
        length=leak.end - start,
        line=0,
        column=0,
        channel=UNKNOWN_CHANNEL,
        encodings=leak.encodings,
        logged_at=None,
        excerpt="",
        repeat=True,
    )


def _line_index(buffer: Buffer, start: int) -> int:
    """Buffer index of the beginning of the line of `start`, or as far back as lines are looked at."""
    floor = start - _LINE if start > _LINE else 0
    newline = buffer.rfind(b"\n", floor, start)
    return newline + 1 if newline >= 0 else floor


def _reach(buffer: Buffer, start: int, begin: int) -> int:
    """How far behind a token its line is looked at; a record may give its time at the end."""
    if buffer.find(b"{", begin, start) < 0:
        return _AFTER  # no record: most lines, and no copy of them
    return RECORD if needs_rest_of_line(bytes(buffer[begin:start])) else _AFTER


def _column(window: ContextWindow, start: int, begin: int) -> int:
    buffer = window.buffer
    if begin > 0 and buffer[begin - 1] == 10:
        return start - begin + 1
    last = buffer.rfind(b"\n", 0, start)
    return start - last if last >= 0 else window.base + start - window.line_start + 1


def _output(window: ContextWindow, begin: int, line: bytes) -> OutputStream | None:
    """The output stream that the record around buffer[begin] names; `line` is the text from there
    on.
    """
    buffer = window.buffer
    if begin > 0 and buffer[begin - 1] == 10:
        return output_of(line)
    # A record of 16 KiB begins before what is otherwise looked at of a line.
    floor = max(0, begin - LOOKBACK + _LINE)
    start = buffer.rfind(b"\n", floor, begin) + 1
    if start == 0 and (floor or window.base):
        return None
    return output_of(line if start == begin else bytes(buffer[start:begin]) + line)
