"""Log records that a container runtime split: CRI (containerd, CRI-O) and Docker's json-file
driver.

    ...Z stdout P token=eyJhbGci        one line of stdout, split in two
    ...Z stderr F GET / 200             a line of stderr in between: not split, left out
    ...Z stdout F OiJIUzI1NiJ9.eyJz     the rest, with its line end

Promises: a line that one stream wrote is one line again, whatever lines of the other stream come in
between. Every split line of the region is joined, in the order in which they begin, each with the
line end of its last record. Lines that were not split are left out: the plain text has them.
Refuses to guess: a record whose stream the region does not show is joined to nothing. Docker's
content stays JSON-escaped, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import Segment, View
from jwtleak.types import OutputStream

# Kubernetes CRI logging: RFC 3339 time, stream, tags of which the first is P (partial) or F (full),
# content.
_CRI = lazy(
    rb"(?m)^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,24}(?:Z|[+-][0-9:]{5}) (?P<stream>stdout|stderr) "
    rb"(?P<tag>[PF])(?::[^ \n]*)? (?P<content>[^\n]*+)(?P<end>\n?)"
)
_CRI_PARTIAL = lazy(rb" std(?:out|err) P[ :]")

# One JSON object a line, attributes in any order. Quotes within strings are escaped: `"log":"` is
# never content.
_DOCKER_HEAD = lazy(rb'\{ ?"(?:log|stream|time|attrs)" ?:')
_DOCKER_LOG = lazy(rb'"log" ?: ?"(?P<content>[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+)')
_DOCKER_STREAM = lazy(rb'"stream" ?: ?"(?P<stream>[a-z]{1,16})"')


_OUTPUTS: dict[bytes, OutputStream] = {b"stdout": "stdout", b"stderr": "stderr"}


def output_of(line: bytes) -> OutputStream | None:
    """The output stream that the record at the beginning of `line` names, of CRI or Docker."""
    # The fifth byte of an RFC 3339 date: one comparison rules out most lines.
    if line[4:5] == b"-":
        cri = _CRI.match(line)
        return _OUTPUTS[cri["stream"]] if cri else None
    if not line.startswith(b"{") or b'"stream"' not in line:
        return None
    end = line.find(b"\n")
    stop = end if end >= 0 else len(line)
    log = _DOCKER_LOG.search(line, 0, stop) if _DOCKER_HEAD.match(line) else None
    return _OUTPUTS.get(_docker_stream(line, 0, stop, log) or b"") if log else None


class ContainerRecord(msgspec.Struct, frozen=True):
    """A record of `stream` with the content region[start:end]. Its line ends at `newline`, which is
    -1 when the region ends first.
    """

    stream: bytes
    partial: bool
    start: int
    end: int
    newline: int


def _join(region: bytes, records: Iterator[ContainerRecord]) -> View | None:
    """The lines that consist of more than one record."""
    lines: list[list[ContainerRecord]] = []
    # By stream: records of stdout and stderr alternate as the program writes them.
    unfinished: dict[bytes, list[ContainerRecord]] = {}
    for record in records:
        line = unfinished.pop(record.stream, None)
        if line is None:
            # A record that is a whole line: the plain text has it.
            if not record.partial:
                continue
            line = []
            lines.append(line)
        line.append(record)
        if record.partial:
            unfinished[record.stream] = line
    return _view(region, [line for line in lines if len(line) > 1])


def _extent(region: bytes, records: Iterator[ContainerRecord]) -> int | None:
    """The end of the record with which every line is whole that began in the region; None when the
    region ends before that.

    A first line that is no record is a region of its own.
    """
    # The region may begin within a line, where LOOKBACK cut it: that line is no record.
    first = region.find(b"\n") + 1
    unfinished: set[bytes] = set()
    for record in records:
        if first and record.start >= first and not unfinished:
            break
        if record.newline < 0:
            return None  # the record itself is cut
        (unfinished.add if record.partial else unfinished.discard)(record.stream)
        # A line of the other stream may have begun in between, and has to be whole as well.
        if not unfinished:
            return record.newline + 1
    return None if unfinished or not first else first


def _view(region: bytes, lines: list[list[ContainerRecord]]) -> View | None:
    # A segment for each record: the head of the next one, and records of the other stream, are
    # between them and encode nothing.
    parts: list[bytes] = []
    segments: list[Segment] = []
    size = 0
    for line in lines:
        pieces = [(record.start, record.end) for record in line]
        # The line end of the last record ends the joined line, so that the next one is not joined.
        newline = line[-1].newline
        if newline >= 0:
            pieces.append((newline, newline + 1))
        for start, end in pieces:
            if end > start:
                parts.append(region[start:end])
                segments.append((size, start, 1, 1))
                size += end - start
    return View(b"".join(parts), tuple(segments)) if parts else None


def _cri(region: bytes) -> Iterator[ContainerRecord]:
    for match in _CRI.finditer(region):
        start, end = match.span("content")
        yield ContainerRecord(
            match["stream"], match["tag"] == b"P", start, end, end if match["end"] else -1
        )


def _docker(region: bytes) -> Iterator[ContainerRecord]:
    start = 0
    while start < len(region):
        newline = region.find(b"\n", start)
        stop = newline if newline >= 0 else len(region)
        # Attributes come in any order, so each is searched for.
        log = _DOCKER_LOG.search(region, start, stop) if region.startswith(b"{", start) else None
        stream = _docker_stream(region, start, stop, log) if log else None
        if log and stream:
            yield ContainerRecord(
                stream, not _ends_line(log["content"]), *log.span("content"), newline
            )
        start = stop + 1


def _ends_line(content: bytes) -> bool:
    r"""Whether JSON string content ends in an escaped newline, not in `n` behind an escaped
    backslash.
    """
    # An odd number of backslashes before the `n`: the last of them belongs to it.
    escape = content[:-1]
    return content.endswith(b"\\n") and (len(escape) - len(escape.rstrip(b"\\"))) % 2 == 1


def _docker_stream(region: bytes, start: int, stop: int, log: re.Match[bytes]) -> bytes | None:
    """The stream of a record. Docker writes it behind the content, so that is tried first."""
    match = _DOCKER_STREAM.search(region, log.end(), stop) or _DOCKER_STREAM.search(
        region, start, log.start()
    )
    return match["stream"] if match else None


class Cri:
    """Joins CRI's `P` records up to their `F`."""

    name = "cri"
    alphabet = b""
    stops = b""

    def applies(self, line: bytes) -> bool:
        """Whether `line` begins like a CRI record."""
        return _CRI.match(line) is not None

    def extent(self, region: bytes) -> int | None:
        """Where the lines end that begin with the first record of `region`; None when they continue
        behind it.
        """
        return _extent(region, _cri(region))

    def unwrap(self, region: bytes) -> View | None:
        """The split lines of `region`, whole."""
        return _join(region, _cri(region)) if _CRI_PARTIAL.search(region) else None


class Docker:
    r"""Joins json-file records up to the one whose content ends in `\n`."""

    name = "docker"
    alphabet = b""
    stops = b""

    def applies(self, line: bytes) -> bool:
        """Whether `line` begins like a json-file record."""
        return _DOCKER_HEAD.match(line) is not None

    def extent(self, region: bytes) -> int | None:
        """Where the lines end that begin with the first record of `region`; None when they continue
        behind it.
        """
        return _extent(region, _docker(region))

    def unwrap(self, region: bytes) -> View | None:
        """The split lines of `region`, whole and still JSON-escaped."""
        return _join(region, _docker(region))
