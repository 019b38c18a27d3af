"""Input made to hurt: time stays linear in the bytes and memory below a bound, for the real
program.

Speed under such input is a cost per needle, some microseconds each. Sizes are chosen so that each
case takes seconds.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest
from minting import NOW, jws

pytestmark = pytest.mark.slow

MIB = 1 << 20
# Peak resident memory of one process, in MiB.
MEMORY = 150
_HEADER = b"eyJhbGciOiJIUzI1NiJ9"


class Cost(NamedTuple):
    """What a scan took: seconds of processor time, MiB of memory, the status, and what was
    printed.
    """

    seconds: float
    memory: float
    status: int
    out: bytes
    err: bytes


def scan(tmp_path: Path, unit: bytes, size: int, *args: str) -> Cost:
    """Scans `size` bytes of repeated `unit` through a pipe.

    The memory is that of the program, but never less than the most that this process had: what is
    large is not made here.
    """
    block = unit * (MIB // max(1, len(unit)) + 1)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "jwtleak", "scan", f"--now={NOW}", *(args or ("-",))]
    with (tmp_path / "out").open("w+b") as out, (tmp_path / "err").open("w+b") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=err, env=environment
        )
        assert process.stdin is not None
        with process.stdin as pipe:
            while size > 0:
                size -= pipe.write(block[:size])
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        seconds = used.ru_utime + used.ru_stime
        return Cost(seconds, used.ru_maxrss / 1024, process.returncode, out.read(), err.read())


# What is repeated, and how many MiB of it.
DENSE: dict[str, tuple[bytes, int]] = {
    "eyJ": (b"eyJ", 200),
    "dots": (b".", 200),
    "base64": (base64.b64encode(os.urandom(300_000)).replace(b"eyJ", b"AAA"), 200),
    "percent signs": (b"%", 200),
    "percent escapes": (b"%41", 200),
    "nested JSON": (b'{"a":', 200),
    "nested arrays in a header": (base64.urlsafe_b64encode(b'{"alg":' + b"[" * 3000)[:-2], 40),
    "beginnings of headers": (b"eyJhbGci", 200),
    "headers without a dot": (_HEADER, 200),
    "headers with dots": (_HEADER + b".", 4),
    "headers with many dots": (_HEADER + b"." * 40, 16),
    "headers that escapes cut": (b"eyJ%2", 4),
    "headers that lines cut": (b"eyJ\n", 4),
    "headers that quotes cut": (b'eyJ"', 4),
    "alg without a header": (b"JhbGci", 8),
    "alg in UTF-16": ("JhbGci".encode("utf-16-le"), 4),
    "eyJ in base64": (b"ZXlKAAA", 4),
    "eyJ in base64, three times": (base64.b64encode(base64.b64encode(b"ZXlKAAAA" * 30)), 4),
    "eyJ in UTF-16, with a cut": (b"e\0y\0J\0\xff", 8),
    "eyJ in UTF-16": (b"e\0y\0J\0", 16),
    "Docker lines": (b'{"log":"eyJhbGciOi","stream":"stdout","time":"2026-01-15T12:00:00Z"}\n', 16),
    "CRI lines": (b"2026-01-15T12:00:00.0Z stdout P eyJhbGciOi\n", 16),
    "soft line breaks": (b"eyJ=\r\n", 4),
    "HTML escapes": (b"eyJ&#46;", 8),
    "backslashes": (b"eyJ\\u002e\\\\", 8),
    "tildes": (_HEADER + b".e30." + b"A" * 43 + b"~" * 200, 16),
    "random bytes": (os.urandom(MIB), 200),
}


@pytest.mark.parametrize("name", DENSE)
def test_dense_input_takes_linear_time_and_bounded_memory(tmp_path, name):
    """Four times the bytes take at most six times the time, and no more memory."""
    unit, size = DENSE[name]
    for _ in range(
        3
        # a shared machine may change its speed between the two; more than linear work fails each
        # time
    ):
        quarter = scan(tmp_path, unit, size * MIB // 4)
        whole = scan(tmp_path, unit, size * MIB)
        # Below half a second, starting the program is most of it.
        linear = whole.seconds < 6 * max(quarter.seconds, 0.5)
        if linear:
            break
    print(f"{name}: {size / whole.seconds:.1f} MiB/s, {whole.memory:.0f} MiB of memory")
    assert (whole.status in (0, 1), whole.err) == (True, b"")
    assert whole.memory < MEMORY
    assert linear


def test_a_line_of_a_gigabyte(tmp_path):
    """A line without an end, with text all along, is scanned in bounded memory."""
    cost = scan(tmp_path, b"no end of it, ", 1024 * MIB)
    assert (cost.status, cost.out, cost.err) == (0, b"", b"")
    assert cost.memory < MEMORY


def test_a_token_at_the_end_of_a_long_line(tmp_path):
    """A token after half a gigabyte without a line break has its column."""
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(512 * MIB)
        file.seek(0, os.SEEK_END)
        file.write(f" {jws()} ".encode())
    cost = scan(tmp_path, b"x", 0, "--jobs=2", str(path))
    path.unlink()
    assert f'"line":1,"column":{512 * MIB + 2}'.encode() in cost.out
    assert cost.memory < MEMORY


def test_a_long_token(tmp_path):
    """A signature without an end makes an incomplete token, not a long wait."""
    cost = scan(tmp_path, b"A", 0)
    assert cost.status == 0
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(_HEADER + b".e30.")
        file.writelines(b"A" * MIB for _ in range(64))
    cost = scan(tmp_path, b"x", 0, "--min-confidence=low", str(path))
    assert cost.out.count(b"\n") <= 1
    assert cost.seconds < 10
    assert cost.memory < MEMORY


def test_a_hundred_thousand_tokens(tmp_path):
    """A hundred thousand distinct tokens, grouped and shown as a table, take bounded memory."""
    path = tmp_path / "a.log"
    with path.open("w") as file:
        file.writelines(f"x={jws({'iss': str(n)})} y\n" for n in range(100_000))
    for form in ("--format=json", "--format=table"):
        cost = scan(tmp_path, b"", 0, form, f"--output={tmp_path / 'alerts'}", str(path))
        assert (cost.status, cost.err) == (1, b"")
        assert cost.memory < MEMORY
    for jobs in ("1", "2"):
        assert (
            scan(
                tmp_path, b"", 0, f"--jobs={jobs}", f"--output={tmp_path / 'alerts'}", str(path)
            ).memory
            < MEMORY
        )


# --- archives


def nested(depth: int) -> bytes:
    """A token in gzip in zip in tar, and so on."""
    data = f"x={jws()} y\n".encode()
    for level in range(depth):
        room = io.BytesIO()
        if level % 3 == 0:
            data = gzip.compress(data)
        elif level % 3 == 1:
            with zipfile.ZipFile(room, "w") as archive:
                archive.writestr("a", data)
            data = room.getvalue()
        else:
            with tarfile.open(fileobj=room, mode="w") as tar:
                info = tarfile.TarInfo("a")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            data = room.getvalue()
    return data


def zeros(count: int) -> bytes:
    """`count` MiB of zeros in gzip."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([deflate.compress(bytes(MIB)) for _ in range(count)]) + deflate.flush()


@pytest.mark.parametrize("depth", [3, 5, 200])
def test_archives_in_archives(tmp_path, depth):
    """What is nested to the bound is found; deeper is told, and costs no more (a tar in a codec
    counts once).
    """
    path = tmp_path / "nested"
    path.write_bytes(nested(depth))
    cost = scan(tmp_path, b"", 0, str(path))
    assert cost.status == (1 if depth == 3 else 3)
    assert (b"archives nested too deep" in cost.err) == (depth > 3)
    assert cost.memory < MEMORY
    assert cost.seconds < 10


def test_a_quine_of_bombs(tmp_path):
    """Bombs within a bomb end at the bounds for the whole file."""
    member = zeros(200)
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        for n in range(200):
            archive.writestr(f"{n}.gz", member)
    path = tmp_path / "bomb.zip"
    path.write_bytes(room.getvalue())
    begun = time.monotonic()
    cost = scan(tmp_path, b"", 0, "--max-archive-bytes=1g", str(path))
    assert time.monotonic() - begun < 60
    assert cost.status == 3
    assert b": bomb: " in cost.err
    assert cost.memory < MEMORY


def test_a_zip_of_overlapping_members(tmp_path):
    """A zip whose entries all point at the same bytes (D. Fifield, USENIX WOOT 2019) costs no more
    than its limit.
    """
    room = io.BytesIO()
    with (
        zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a", "w") as entry_file,
    ):
        for _ in range(100):
            entry_file.write(bytes(MIB))
    data = room.getvalue()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry, count = data[start:end], 5000
    tail = (
        data[end : end + 8]
        + count.to_bytes(2, "little") * 2
        + (len(entry) * count).to_bytes(4, "little")
    )
    path = tmp_path / "overlap.zip"
    path.write_bytes(data[:start] + entry * count + tail + start.to_bytes(4, "little") + b"\0\0")
    cost = scan(tmp_path, b"", 0, "--max-archive-bytes=1g", str(path))
    assert cost.memory < MEMORY
    assert cost.seconds < 60
