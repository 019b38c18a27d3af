"""Files of any packing, from bytes to streams."""

from __future__ import annotations

import os
import random
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from archive_fixtures import PACK, make_ar, make_cpio, make_tar, make_zip, read_stream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtleak.archives import unpack as unpack_module
from jwtleak.archives.unpack import open_streams
from jwtleak.errors import SourceError
from jwtleak.sources.interface import ArchiveLimits, Notice
from jwtleak.sources.local import FileStream
from jwtleak.sources.stdin import StdinStream

TEXT = b"".join(b"GET /a/%d HTTP/1.1 %x\n" % (n, n * 2654435761 % 2**32) for n in range(5000))

_MAKE = {"ar": make_ar, "cpio": make_cpio, "tar": make_tar, "zip": make_zip}


def test_plain_file_yields_itself(unpack):
    """A plain file is its own stream, at no cost of copying."""
    read = unpack(TEXT)
    assert read.content == TEXT
    assert isinstance(next(iter(read.streams))[0].size, int)
    assert not read.streams[0][0].compressed
    assert read.notices == []


def test_empty_file(unpack):
    """An empty file is an empty stream."""
    assert unpack(b"").content == b""


def test_missing_path_is_reported():
    """A path that cannot be opened gives a notice and no stream."""
    notices: list[Notice] = []
    assert list(open_streams("/nonexistent/x", notice=notices.append)) == []
    assert [(n.kind, n.path, n.reason) for n in notices] == [
        ("unreadable", "/nonexistent/x", "no such file or directory")
    ]


def test_compressed_by_content(unpack, pack, codec):
    """Each compressed format is recognised by its content whatever its name."""
    read = unpack(pack(codec, TEXT))
    assert read.content == TEXT
    assert read.streams[0][0].compressed
    assert read.streams[0][0].member is None
    assert read.notices == []


def test_concatenated_frames(unpack, pack, codec):
    """Several members, streams or frames behind each other are one stream."""
    read = unpack(pack(codec, b"one\n") + pack(codec, TEXT) + pack(codec, b"three\n"))
    assert read.content == b"one\n" + TEXT + b"three\n"
    assert read.notices == []


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])
def test_zero_padding_is_silent(unpack, pack, name):
    """Zeros after and between members are padding."""
    read = unpack(pack(name, TEXT) + bytes(512) + pack(name, TEXT) + bytes(1024))
    assert read.content == TEXT + TEXT
    assert read.notices == []


def test_garbage_behind_is_reported_and_read(unpack, pack, codec):
    """Bytes behind the compressed data are reported, and the raw file is scanned as well."""
    raw = pack(codec, TEXT) + b"appended by mistake\n"
    read = unpack(raw)
    assert [data for _, data in read.streams] == [TEXT, raw]
    assert read.kinds == ["corrupt"]


@pytest.mark.parametrize("eighth", range(1, 8))
def test_truncated_gives_all_it_has(unpack, pack, codec, eighth):
    """All that can be decoded before the cut comes out, and the cut is reported once."""
    packed = pack(codec, TEXT)
    read = unpack(packed[: len(packed) * eighth // 8])
    assert TEXT.startswith(read.content)
    assert read.kinds == ["truncated"]
    if codec == "gzip" and eighth > 1:
        assert len(read.content) > len(TEXT) * (eighth - 1) // 8


@pytest.mark.parametrize("eighth", range(1, 8))
def test_damage_costs_only_what_is_behind_it(unpack, pack, eighth):
    """All that can be decoded before the damaged byte comes out, then the raw bytes."""
    packed = pack("gzip", TEXT)
    sound = packed[: len(packed) * eighth // 8]
    whole = unpack(sound).content
    damaged = sound + random.Random(eighth).randbytes(100_000)
    read = unpack(damaged)
    assert read.streams[0][1].startswith(whole)
    assert read.streams[-1][1] == damaged
    assert read.kinds == ["corrupt"]


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"]
)
def test_magic_by_accident_is_plain(unpack, magic):
    """What only begins like an archive is read as it is, and reported."""
    read = unpack(magic + b"hello, this is a log " * 40)
    assert read.content == magic + b"hello, this is a log " * 40
    assert read.kinds == ["corrupt"]


def test_nested_by_content_under_wrong_names(unpack, pack, tar, zipped):
    """`x.tar.gz` holding a zip that holds a gzip is read to the bottom, with the path of names
    inside.
    """
    inner = zipped({"logs/app.txt": pack("gzip", TEXT), "plain": b"p"})
    read = unpack(pack("gzip", tar({"README.md": inner, "z": pack("zstd", b"zz")})))
    assert read.members == {"README.md!logs/app.txt": TEXT, "README.md!plain": b"p", "z": b"zz"}
    assert all(info.compressed for info, _ in read.streams)
    assert read.notices == []


def test_too_deep_is_reported_and_given_raw(unpack, pack, tar):
    """An archive below the deepest level is reported, and its bytes are scanned as they are."""
    data = pack("gzip", b"bottom")
    bottom = data
    for _ in range(3):
        data = tar({"t": data})
    read = unpack(data)
    assert read.members == {"t!t!t": bottom}
    assert read.kinds == ["depth"]


def test_ratio_bomb_stops(unpack, pack):
    """A file that unfolds to more than its size allows ends with one notice that says how far it
    was read.
    """
    read = unpack(pack("bzip2", bytes(80 << 20)), ArchiveLimits(max_ratio=100))
    assert len(read.content) <= 64 << 20
    assert read.kinds == ["bomb"]
    assert read.notices[0].bytes_read == len(read.content)


def test_total_bound_stops_the_whole_archive(unpack, pack, tar, zipped):
    """The bound on bytes counts all members together, and what comes behind it is not read."""
    data = zipped({str(n): bytes(1 << 20) for n in range(9)})
    read = unpack(data, ArchiveLimits(max_archive_bytes=3 << 20))
    assert sum(len(data) for _, data in read.streams) <= 3 << 20
    assert read.kinds == ["bomb"]


@pytest.mark.parametrize("container", ["tar", "zip", "zip streamed"])
@pytest.mark.parametrize("eighth", range(1, 8))
def test_truncated_containers(unpack, tar, zipped, container, eighth):
    """A container that is cut off gives every member, or part of one, before the cut."""
    members = {f"{n}.log": random.Random(n).randbytes(20_000) for n in range(8)}
    data = tar(members) if container == "tar" else zipped(members, streamed="streamed" in container)
    read = unpack(data[: len(data) * eighth // 8])
    assert read.kinds[-1] == "truncated"
    assert len(read.kinds) <= 2
    assert all(members[name].startswith(content) for name, content in read.members.items())
    assert sum(map(len, read.members.values())) > len(data) * (eighth - 1) // 8 - 4096


def test_damaged_zip_member_costs_only_itself(unpack, zipped):
    """The members behind a damaged one are read."""
    members = {f"{n}.log": TEXT[n * 9000 : n * 9000 + 9000] for n in range(5)}
    for streamed in (False, True):
        data = bytearray(zipped(members, streamed=streamed))
        middle = data.index(b"2.log") + 900
        data[middle : middle + 40] = b"\xff" * 40
        read = unpack(bytes(data))
        assert {"0.log", "1.log", "3.log", "4.log"} <= {
            n for n, data in read.members.items() if data == members.get(n)
        }
        assert "corrupt" in read.kinds
        assert read.streams[-1][1] == bytes(data)


def test_too_much_memory_is_reported(unpack, pack):
    """An xz that asks for more memory than is allowed is reported and not decoded."""
    read = unpack(pack("xz", TEXT), ArchiveLimits(max_memory=1 << 16))
    assert read.kinds == ["unsupported"]
    assert "MiB of memory" in read.notices[0].reason


def test_closed_early_goes_on_with_the_next(tmp_path: Path, tar, zipped):
    """A stream that is closed early gives nothing more, and the next member follows."""
    for data in (tar({"a": TEXT, "b": b"2"}), zipped({"a": TEXT, "b": b"2"}, streamed=True)):
        (tmp_path / "x").write_bytes(data)
        names = []
        for stream in open_streams(str(tmp_path / "x"), notice=pytest.fail):
            names.append(stream.info.member)
            room = memoryview(bytearray(10))
            assert stream.readinto(room) > 0
            stream.close()
            assert stream.readinto(room) == 0
        assert names == ["a", "b"]


def test_standard_input_is_unpacked(pack, stream_bytes):
    """An archive through a pipe is unpacked as a file is."""
    reader, writer = os.pipe()
    os.write(writer, pack("gzip", b"through a pipe\n" * 100))
    os.close(writer)
    streams = open_streams(StdinStream(reader), notice=pytest.fail)
    assert [(s.info.source, stream_bytes(s)) for s in streams] == [
        ("stdin", b"through a pipe\n" * 100)
    ]
    os.close(reader)


def test_read_error_ends_the_archive(
    tmp_path: Path, pack, monkeypatch: pytest.MonkeyPatch, stream_bytes
):
    """A failing disk below an archive is reported once as unreadable, and nothing is raised."""
    (tmp_path / "x").write_bytes(pack("gzip", random.Random(1).randbytes(200_000)))
    notices: list[Notice] = []
    stream = FileStream(str(tmp_path / "x"))
    real, calls = FileStream.readinto, []

    def failing(self: FileStream, buffer: memoryview) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise SourceError("x", "input/output error")
        return real(self, buffer)

    monkeypatch.setattr(FileStream, "readinto", failing)
    assert [len(stream_bytes(s)) > 1000 for s in open_streams(stream, notice=notices.append)] == [
        True
    ]
    assert [(n.kind, n.reason) for n in notices] == [("unreadable", "input/output error")]


_LAYERS = st.lists(
    st.sampled_from(
        ["gzip", "bzip2", "xz", "zstd", "lz4", "ar", "cpio", "tar", "zip", "zip stored"]
    ),
    max_size=3,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.binary(max_size=3000), layers=_LAYERS, step=st.sampled_from([1, 7, 511, 4096, 1 << 19])
)
def test_any_nesting_gives_the_bytes(unpack, pack, zipped, data, layers, step):
    """Bytes in are bytes out, for any nesting and any size of read."""
    data = b"." + data  # plain, and not empty
    packed = data
    for layer in layers:
        if layer in ("ar", "cpio", "tar"):
            packed = _MAKE[layer]({"t": packed})
        elif layer.startswith("zip"):
            stored = zipfile.ZIP_STORED if "stored" in layer else zipfile.ZIP_DEFLATED
            packed = zipped({"z": packed}, stored, streamed=bool(step % 2))
        else:
            packed = pack(layer, packed)
    read = unpack(packed, step=step)
    assert read.content == data
    assert read.notices == []


class _Pieces(StdinStream):
    """Standard input that arrives in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__(-1)
        self._pieces = pieces

    def _poll(self, _timeout: float) -> bool:
        return True

    def _read(self, buffer: memoryview) -> int:
        piece = self._pieces.pop(0) if self._pieces else b""
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        if count < len(piece):
            self._pieces.insert(0, piece[count:])
        self._ended = not count
        return count


def _piped(data: bytes, cuts: list[int]) -> tuple[list[tuple[str | None, bytes]], list[Notice]]:
    """Streams and notices of `data` through a pipe that is cut at these offsets."""
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    notices: list[Notice] = []
    stdin = _Pieces([data[a:b] for a, b in pairwise(ends)])
    streams = open_streams(stdin, notice=notices.append)
    return [(s.info.member, read_stream(s)) for s in streams], notices


_FILES = {"./etc/app.conf": TEXT[:3000], "b.gz": PACK["gzip"](TEXT[:900])}
_PIPED = {
    "deb": make_ar({"debian-binary": b"2.0\n", "data.tar.xz": PACK["xz"](make_tar(_FILES))}),
    "ar": make_ar(_FILES),
    "cpio": make_cpio(_FILES),
    "cpio crc": make_cpio(_FILES, checked=True),
    "cpio.zst": PACK["zstd"](make_cpio(_FILES)),
    "tar": make_tar(_FILES),
    "zip": make_zip(_FILES, streamed=True),
    "lz4": b"\x5e\x2a\x4d\x18\x03\0\0\0abc" + PACK["lz4"](TEXT),
    "text": TEXT[:3000],
}


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(_PIPED)),
    cuts=st.lists(st.one_of(st.integers(1, 600), st.integers(1, 20_000)), max_size=8),
)
def test_any_cut_of_a_pipe_gives_the_same(kind, cuts):
    """However a pipe delivers an archive, streams and notices are the same."""
    assert _piped(_PIPED[kind], cuts) == _piped(_PIPED[kind], [])


_STORED = {f"{n}.log": TEXT[n * 900 : n * 900 + 701] for n in range(6)}


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["ar", "cpio", "tar"]),
    cuts=st.lists(st.integers(1, 8000), max_size=8),
    damage=st.integers(600, 6000),
    end=st.integers(700, 8000),
)
def test_any_cut_of_a_damaged_container_gives_the_same(kind, cuts, damage, end):
    """So are those of a container that is damaged and cut off, as long as nothing in it is
    compressed: how much a decoder gives before a damage depends on what it was fed.
    """
    data = _MAKE[kind](_STORED)
    data = (data[:damage] + b"\xff" * 9 + data[damage + 40 :])[:end]
    assert _piped(data, cuts) == _piped(data, [])


@pytest.mark.parametrize("kind", sorted(_PIPED))
def test_a_pipe_that_delivers_byte_by_byte(kind):
    """The first bytes may come one by one."""
    assert _piped(_PIPED[kind], list(range(600))) == _piped(_PIPED[kind], [])


def test_a_writer_that_pauses_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """Half a magic number after which nothing comes is a plain stream, and its bytes come first."""
    reader, writer = os.pipe()
    os.write(writer, b"07070")
    monkeypatch.setattr(unpack_module, "HEAD_WAIT", 0.0)
    stdin = StdinStream(reader)
    streams = open_streams(stdin, notice=pytest.fail)
    assert next(streams) is stdin
    os.write(writer, b" is a number\n")
    os.close(writer)
    assert read_stream(stdin) == b"07070 is a number\n"
    assert list(streams) == []
    os.close(reader)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(["gzip", "bzip2", "xz", "zstd", "lz4", *_MAKE]),
    edits=st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.integers(0, 3000),
)
def test_arbitrary_damage_never_raises(unpack, pack, kind, edits, cut):
    """Any damage ends in streams and notices, never in an exception or a loop."""
    members = {"a": TEXT[:700], "b": pack("gzip", TEXT[:700])}
    raw = _MAKE[kind](members) if kind in _MAKE else pack(kind, TEXT[:3000])
    data = bytearray(raw)
    for at, change in edits:
        data[at : at + len(change)] = change
    unpack(bytes(data[: max(1, len(data) - cut)]))
