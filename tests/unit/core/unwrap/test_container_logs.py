"""Records that container runtimes split."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.unwrap import LINES
from jwtleak.core.unwrap.container_logs import Cri, Docker, output_of

STAMP = b"2026-11-23T10:15:30.123456789Z"
WORD = st.text("abcXYZ019-_.", min_size=1, max_size=100).map(str.encode)


def cri(*records: tuple[bytes, bytes, bytes]) -> bytes:
    return b"".join(
        b"%s %s %s %s\n" % (STAMP, stream, tag, content) for stream, tag, content in records
    )


def docker(*records: tuple[str, str]) -> bytes:
    return b"".join(
        json.dumps(
            {"log": content, "stream": stream, "time": STAMP.decode()}, separators=(",", ":")
        ).encode()
        + b"\n"
        for stream, content in records
    )


@given(text=WORD, width=st.integers(1, 40), data=st.data())
def test_a_split_cri_line_is_whole_again(text: bytes, width: int, data: st.DataObject) -> None:
    """However a runtime split a line, the line comes back, and each byte is found in its record."""
    parts = [text[at : at + width] for at in range(0, len(text), width)]
    region = cri(*((b"stdout", b"P", part) for part in parts), (b"stdout", b"F", b""))
    view = Cri().unwrap(region)
    assert view is not None
    assert view.data == text + b"\n"
    at = data.draw(st.integers(0, len(text) - 1))
    first, last = view.span(at, at + 1)
    assert region[first:last] == text[at : at + 1]


@given(text=WORD, width=st.integers(1, 40), data=st.data())
def test_a_split_docker_line_is_whole_again(text: bytes, width: int, data: st.DataObject) -> None:
    """However the driver split a line, its escaped content comes back, and each byte is found in
    its record.
    """
    parts = [text[at : at + width].decode() for at in range(0, len(text), width)]
    region = docker(*(("stdout", part) for part in parts), ("stdout", "\n"))
    view = Docker().unwrap(region)
    assert view is not None
    assert view.data == text + b"\\n\n"
    at = data.draw(st.integers(0, len(text) - 1))
    first, last = view.span(at, at + 1)
    assert region[first:last] == text[at : at + 1]


def test_streams_are_kept_apart() -> None:
    """Records of the other stream, split themselves, do not come between."""
    region = cri(
        (b"stdout", b"P", b"a1"),
        (b"stderr", b"P", b"b1"),
        (b"stderr", b"F", b"b2"),
        (b"stdout", b"P:x", b"a2"),
        (b"stderr", b"F", b"unsplit"),
        (b"stdout", b"F", b"a3"),
    )
    view = Cri().unwrap(region)
    assert view is not None
    assert view.data == b"a1a2a3\nb1b2\n"
    outer = docker(("stdout", "a1"), ("stderr", "b1"), ("stderr", "b2\n"), ("stdout", "a2\n"))
    view = Docker().unwrap(outer)
    assert view is not None
    assert view.data == b"a1a2\\n\nb1b2\\n\n"


@pytest.mark.parametrize(
    "order",
    [
        ("stream", "log", "time"),
        ("time", "stream", "log"),
        ("attrs", "log", "stream"),
        ("log", "time", "stream"),
    ],
)
def test_docker_attributes_come_in_any_order(order: tuple[str, ...]) -> None:
    """Where the stream's name stands in a record does not matter."""
    records = [
        {"log": content, "stream": "stdout", "time": "t", "attrs": {"tag": "x"}}
        for content in ("ab", "cd\n")
    ]
    region = "\n".join(
        json.dumps({key: record[key] for key in order}) for record in records
    ).encode()
    view = Docker().unwrap(region)
    assert view is not None
    assert view.data == b"abcd\\n"


def test_docker_content_stays_escaped() -> None:
    """Quotes, attributes and escapes inside the content are content; `\\\\n` is no line end."""
    region = docker(("stdout", 'a"log":"x","stream":"stderr" C:\\n'), ("stdout", 'b"\n'))
    view = Docker().unwrap(region)
    assert view is not None
    assert view.data == rb"a\"log\":\"x\",\"stream\":\"stderr\" C:\\nb\"\n" + b"\n"


@pytest.mark.parametrize("unwrapper", LINES, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "region",
    [
        b"",
        b"no record\n at all stdout P x",
        cri((b"stdout", b"F", b"a"), (b"stdout", b"F", b"b")),
        cri((b"stdout", b"F", b"a std stdout P b")),
        cri((b"stdout", b"P", b"last")),
        docker(("stdout", "a\n"), ("stdout", "b\n")),
        docker(("stdout", "a"), ("stderr", "b\n")),
        b'{"log":"a","no":"stream"}\n{"log":"b\\n"}\n',
        b'{"log":"cut',
    ],
)
def test_without_a_split_line_there_is_nothing_to_undo(
    unwrapper: Cri | Docker, region: bytes
) -> None:
    """Whole records and lone pieces read plainly."""
    assert unwrapper.unwrap(region) is None


def test_the_end_of_a_region_cuts_content_only() -> None:
    """What a cut region decodes to is a prefix of what the whole one does."""
    for whole, unwrapper in (
        (cri((b"stdout", b"P", b"abcdef"), (b"stdout", b"F", b"ghi")), Cri()),
        (docker(("stdout", "abcdef"), ("stdout", "ghi\n")), Docker()),
    ):
        view = unwrapper.unwrap(whole)
        assert view is not None
        for cut in range(len(whole)):
            part = unwrapper.unwrap(whole[:cut])
            assert part is None or view.data.startswith(part.data)


def test_records_are_known_by_their_beginning() -> None:
    """The first 128 bytes of a line tell its kind."""
    one, two = cri((b"stderr", b"P", b"x" * 200))[:128], docker(("stdout", "x" * 200))[:128]
    assert [unwrapper.applies(one) for unwrapper in LINES] == [True, False]
    assert [unwrapper.applies(two) for unwrapper in LINES] == [False, True]
    assert not any(unwrapper.applies(b'{"level":"info"}') for unwrapper in LINES)
    assert Cri().applies(b"2026-11-23T10:15:30.1+02:00 stdout F x")


def test_how_far_split_lines_reach() -> None:
    """Up to the record with which every line is whole that began meanwhile; a whole record reaches
    its own end.
    """
    whole = cri((b"stdout", b"F", b"a"))
    assert Cri().extent(whole + whole) == len(whole)
    lines = cri(
        (b"stdout", b"P", b"a1"),
        (b"stderr", b"P", b"b1"),
        (b"stdout", b"F", b"a2"),
        (b"stderr", b"F", b"b2"),
    )
    assert Cri().extent(lines + whole) == len(lines)
    assert [Cri().extent(lines[:cut]) for cut in range(len(lines))] == [None] * len(lines)
    split = docker(("stdout", "a1"), ("stderr", "b\n"), ("stdout", "a2\n"))
    assert Docker().extent(split + docker(("stdout", "c"))) == len(split)
    assert Docker().extent(split[:-1]) is None


@pytest.mark.parametrize("unwrapper", LINES, ids=lambda one: one.name)
def test_a_line_that_is_no_record_reaches_its_end(unwrapper: Cri | Docker) -> None:
    """Records behind a line that is none do not belong to it; a line without an end goes on."""
    other = b'{"log":"x"}\n'
    assert unwrapper.extent(other + cri((b"stdout", b"P", b"a")) + docker(("stdout", "a"))) == len(
        other
    )
    assert unwrapper.extent(other[:-1]) is None


@pytest.mark.parametrize(
    ("line", "output"),
    [
        (cri((b"stdout", b"F", b"x")), "stdout"),
        (cri((b"stderr", b"P", b"x")), "stderr"),
        (docker(("stderr", "x\n")), "stderr"),
        (docker(("stdout", "x")) + docker(("stderr", "y\n")), "stdout"),
        (b'{"stream":"stderr","log":"x"}', "stderr"),
        (docker(("stdout", '{"stream":"stderr"}\n')), "stdout"),
        (docker(("stdin", "x\n")), None),
        (b'{"log":"it was cut","stre', None),
        (b'{"message":"no record","stream":"stderr"}', None),
        (b"2026-01-15 12:00:01 on stdout F x", None),
        (b"GET / stdout F", None),
        (b"", None),
    ],
)
def test_the_output_of_a_record(line: bytes, output: str | None) -> None:
    """A record names its stream; its content cannot, and what is no record names none."""
    assert output_of(line) == output
