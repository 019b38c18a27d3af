"""The place of a token: its line and column, the time and output stream that its line names, its
channel, an excerpt.

Promises: pure. The result depends only on the bytes around the token, at most LOOKBACK before and
RECORD behind it, and on what the source knows. `wants_more` says whether bytes still to come could
change it. Refuses to guess what the source knows: its `Context` is asked before the text rules.
"""

from __future__ import annotations

from typing import NamedTuple

from jwtleak.core.channel import Channels
from jwtleak.core.compact import Buffer
from jwtleak.core.custom_patterns import PatternMatch
from jwtleak.core.logtime import logged_at, needs_rest_of_line
from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import CONTEXT, LOOKBACK
from jwtleak.core.sanitize import excerpt
from jwtleak.core.unwrap.container_logs import output_of
from jwtleak.types import UNKNOWN_CHANNEL, Context, Finding, OutputStream, Token

# Bytes behind a token: those that an excerpt shows, and those in which a JSON record may name its
# time.
_AFTER, RECORD = 96, 4096
# Bytes from the beginning of a line, or before a token, in which a time and a channel are searched.
_LINE = 8 * 1024


class ContextWindow(NamedTuple):
    """The part of a stream in memory: `buffer[:end]`, whose first byte has the offset `base`.

    `line_start` is the offset behind the last newline before it. `mtime_ms` is when the file was
    last written. `known` is what the source knows.
    """

    buffer: Buffer
    base: int
    end: int
    line_start: int
    mtime_ms: int | None
    known: Context | None = None


def wants_more(window: ContextWindow, match: TokenMatch) -> bool:
    """Whether bytes still to come could change the finding for `match`."""
    # Decoded text that was cut short: its line may go on in the next bytes.
    if match.after is not None and len(match.after) < _AFTER and b"\n" not in match.after:
        return True
    buffer, end = window.buffer, window.end
    # RECORD bytes, or the end of the line, are all that a finding ever uses.
    room = end - match.end
    if room >= RECORD or buffer.find(b"\n", match.end, end) >= 0:
        return False
    return room < _reach(buffer, match.start, _line_index(buffer, match.start))


def finding_at(
    window: ContextWindow,
    match: TokenMatch | PatternMatch,
    sha256: str,
    line_number: int,
    channels: Channels,
) -> Finding:
    """The finding for `match`, in line `line_number`."""
    buffer, base, end, _, mtime_ms, known = window
    start, stop = match.start, match.end
    begin = _line_index(buffer, start)
    limit = min(end, stop + _reach(buffer, start, begin))
    # One copy of the line serves the time, the output stream, the channel and the excerpt.
    newline = buffer.find(b"\n", stop, limit)
    line = bytes(buffer[begin : newline if newline >= 0 else limit])
    output = _output(window, begin, line)
    before, after = match.before, match.after
    if before is None or after is None:
        # The channel rules read at most CONTEXT bytes before the token: a line may be megabytes.
        at = start - begin
        before = line[max(0, at - CONTEXT) : at]
        after = line[at + stop - start :][:_AFTER]
    else:
        before, after = before[before.rfind(b"\n") + 1 :], after[:_AFTER].partition(b"\n")[0]
        # The line of UTF-16 text has NUL bytes between its digits: the time is in the decoded one.
        if match.encodings[0].startswith("utf"):
            line = before + after
    # The excerpt is built from the text around the token: no byte of the token reaches it.
    label = f"[JWT {sha256[:8]}]" if isinstance(match.token, Token) else f"[SECRET {sha256[:8]}]"
    channel = None if known is None else known.channel
    at_ms = None if known is None else known.logged_at
    return Finding(
        token=match.token,
        sha256=sha256,
        offset=base + start,
        length=stop - start,
        line=line_number,
        column=_column(window, start, begin),
        channel=channels.classify(before, after) if channel is None else channel,
        encodings=match.encodings,
        logged_at=logged_at(line, mtime_ms=mtime_ms) if at_ms is None else at_ms,
        excerpt=excerpt(before, label, after),
        output=output,
    )


def repeat_at(window: ContextWindow, match: TokenMatch | PatternMatch, sha256: str) -> Finding:
    """The finding for `match` whose token is known: nothing around it is examined."""
    start = match.start
    return Finding(
        token=match.token,
        sha256=sha256,
        offset=window.base + start,
        length=match.end - start,
        line=0,
        column=0,
        channel=UNKNOWN_CHANNEL,
        encodings=match.encodings,
        logged_at=None,
        excerpt="",
        repeat=True,
    )


def _line_index(buffer: Buffer, start: int) -> int:
    """Buffer index of the beginning of the line of `start`, at most _LINE bytes before it."""
    # Bounded: for a token in each of a million bytes without a newline, this would be quadratic.
    floor = start - _LINE if start > _LINE else 0
    newline = buffer.rfind(b"\n", floor, start)
    return newline + 1 if newline >= 0 else floor


def _reach(buffer: Buffer, start: int, begin: int) -> int:
    """How many bytes of its line behind a token matter; a record may name its time at the end."""
    if buffer.find(b"{", begin, start) < 0:
        return _AFTER  # no record: true of most lines, and found without a copy of the line
    return RECORD if needs_rest_of_line(bytes(buffer[begin:start])) else _AFTER


def _column(window: ContextWindow, start: int, begin: int) -> int:
    buffer = window.buffer
    if begin > 0 and buffer[begin - 1] == 10:
        return start - begin + 1
    # The line is longer than _LINE, or begins before the buffer does.
    last = buffer.rfind(b"\n", 0, start)
    return start - last if last >= 0 else window.base + start - window.line_start + 1


def _output(window: ContextWindow, begin: int, line: bytes) -> OutputStream | None:
    """The output stream that the record around buffer[begin] names; `line` is the text from there
    on.
    """
    buffer = window.buffer
    if begin > 0 and buffer[begin - 1] == 10:
        return output_of(line)
    # A record of 16 KiB begins before what is otherwise examined of a line.
    floor = max(0, begin - LOOKBACK + _LINE)
    start = buffer.rfind(b"\n", floor, begin) + 1
    # Without a newline in reach it is not known where the record begins, so nothing is said.
    if start == 0 and (floor or window.base):
        return None
    return output_of(line if start == begin else bytes(buffer[start:begin]) + line)
