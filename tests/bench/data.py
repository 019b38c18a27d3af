"""The benchmark's data: access logs with tokens in them, the same bytes for the same seed and size
on every machine.

Promises: what is there already with the right size and marker is used again; memory stays small (a
block of lines at a time), so that the peak memory of the commands measured afterwards is theirs.
Keys are thrown away: no token is real.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MB = 1_000_000
MIB = 1 << 20
SMOKE = 64  # a smoke run uses 1/64 of each size
_VERSION = 1  # changes when the bytes for a seed change
_EPOCH = 1_768_478_400
_BLOCK_LINES = 10_000
_BLOCKS = (
    4  # different blocks of lines, in turn: far more than a gzip window or a core's cache remembers
)
_SESSIONS, _REQUESTS = 200, 40  # of a small service whose front end polls
_PATHS = (
    "/",
    "/api/v1/orders",
    "/api/v1/users/me",
    "/static/app.js",
    "/login",
    "/health",
    "/api/v2/search",
    "/img/logo.png",
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",  # noqa: E501
    "curl/8.5.0",
    "kube-probe/1.29",
    "python-requests/2.32.3",
)


class Data(NamedTuple):
    """A file or folder of the benchmark: where it is, its bytes (decompressed) and the distinct
    tokens in it.
    """

    path: Path
    size: int
    tokens: int


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEADER = _b64(b'{"alg":"HS256","typ":"JWT","kid":"bench-1"}')


_TOKEN = re.compile(re.escape(_HEADER) + rb"[\w.-]+")


def token(number: int) -> bytes:
    """The `number`th token: a signed session of an hour, like those of an identity provider."""
    claims = {
        "iss": "https://idp.example.com/",
        "sub": f"user-{number}",
        "aud": "api",
        "iat": _EPOCH + number,
        "exp": _EPOCH + number + 3600,
        "scope": "openid profile",
    }
    signed = _HEADER + b"." + _b64(json.dumps(claims, separators=(",", ":")).encode())
    return signed + b"." + _b64(hmac.digest(b"a key of the benchmark", signed, "sha256"))


def line(chance: random.Random, second: int, query: bytes = b"") -> bytes:
    """A line in nginx's combined format."""
    address = ".".join(str(chance.randrange(1, 255)) for _ in range(4))
    stamp = f"{15 + second // 86400 % 10}/Jan/2026:{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} +0000"  # noqa: E501
    head = f'{address} - - [{stamp}] "GET {chance.choice(_PATHS)}'
    tail = f' HTTP/1.1" 200 {chance.randrange(90_000)} "-" "{chance.choice(_AGENTS)}"\n'
    return head.encode() + query + tail.encode()


def sparse(seed: int, size: int) -> Iterator[bytes]:
    """Parts of a log of about `size` bytes with a token every 10,000 lines."""
    chance = random.Random(seed)
    blocks = [b"".join(line(chance, n) for n in range(_BLOCK_LINES - 1)) for _ in range(_BLOCKS)]
    done = number = 0
    while done < size:
        part = blocks[number % _BLOCKS] + line(chance, number, b"?access_token=" + token(number))
        if number == 0 or done + len(part) <= size:
            yield part
        done += len(part)
        number += 1


def dense(seed: int, size: int) -> Iterator[bytes]:
    """Parts of a log of about `size` bytes with a distinct token in every third line."""
    chance = random.Random(seed)
    done = number = 0
    while done < size:
        part = (
            line(chance, number)
            + line(chance, number)
            + line(chance, number, b"?access_token=" + token(number))
        )
        yield part
        done += len(part)
        number += 1


def repeats(seed: int, size: int) -> Iterator[bytes]:
    """The same with the tokens of _SESSIONS sessions at a time, each of which sends its own
    _REQUESTS times.
    """
    chance = random.Random(seed)
    sessions = [[number, 0] for number in range(_SESSIONS)]
    done = second = 0
    newest = _SESSIONS
    while done < size:
        session = chance.choice(sessions)
        part = (
            line(chance, second)
            + line(chance, second)
            + line(chance, second, b"?access_token=" + token(session[0]))
        )
        session[1] += 1
        if session[1] == _REQUESTS:
            session[:] = newest, 0
            newest += 1
        yield part
        done += len(part)
        second += 1


class _Counting:
    """Writes parts and counts their bytes and tokens."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.size = self.tokens = 0

    def write(self, part: bytes) -> None:
        self._out.write(part)
        self.size += len(part)
        self.tokens += part.count(_HEADER)


def _write_plain(path: Path, parts: Iterator[bytes]) -> tuple[int, int]:
    with path.open("wb") as out:
        counting = _Counting(out)
        for part in parts:
            counting.write(part)
    return counting.size, counting.tokens


def _write_repeats(path: Path, parts: Iterator[bytes]) -> tuple[int, int]:
    found: set[bytes] = set()

    def noted() -> Iterator[bytes]:
        for part in parts:
            found.update(_TOKEN.findall(part))
            yield part

    size, _ = _write_plain(path, noted())
    return size, len(found)


class _Deflated:
    """The part of a binary file that `_Counting` needs, compressing as `gzip -6` does, without a
    time or a name.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._codec = zlib.compressobj(6, wbits=31)

    def write(self, part: bytes) -> int:
        self._out.write(self._codec.compress(part))
        return len(part)

    def close(self) -> None:
        self._out.write(self._codec.flush())


def _write_gzip(path: Path, parts: Iterator[bytes]) -> tuple[int, int]:
    with path.open("wb") as out:
        deflated = _Deflated(out)
        counting = _Counting(deflated)  # type: ignore[arg-type]
        for part in parts:
            counting.write(part)
        deflated.close()
    return counting.size, counting.tokens


def _write_many(path: Path, parts: Iterator[bytes]) -> tuple[int, int]:
    """A folder of folders of a hundred files each, one file for each part."""
    size = tokens = 0
    for number, part in enumerate(parts):
        folder = path / f"{number // 100:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"app-{number % 100:02}.log").write_bytes(part)
        size += len(part)
        tokens += part.count(_HEADER)
    return size, tokens


def small_files(seed: int, count: int, size: int) -> Iterator[bytes]:
    """`count` logs of about `size` bytes; every tenth has a token."""
    chance = random.Random(seed)
    for number in range(count):
        lines = (
            [line(chance, number)]
            if number % 10
            else [line(chance, number, b"?access_token=" + token(number))]
        )
        total = 0
        while total < size:
            lines.append(line(chance, total))
            total += len(lines[-1])
        yield b"".join(lines)


_Write = Callable[[Path, Iterator[bytes]], tuple[int, int]]


def _disk_size(path: Path) -> int:
    if path.is_dir():
        return sum(
            (Path(folder) / name).stat().st_size
            for folder, _, names in os.walk(path)
            for name in names
        )
    return path.stat().st_size if path.exists() else -1


def _made(path: Path, write: _Write, recipe: str, parts: Iterator[bytes]) -> Data:
    """What `recipe` describes at `path`, made now unless it is there."""
    marker = path.with_name(path.name + ".made.json")
    if marker.exists():
        facts = json.loads(marker.read_text(encoding="utf-8"))
        if facts["recipe"] == recipe and facts["on_disk"] == _disk_size(path):
            return Data(path, facts["size"], facts["tokens"])
    path.parent.mkdir(parents=True, exist_ok=True)
    size, tokens = write(path, parts)
    facts = {"recipe": recipe, "on_disk": _disk_size(path), "size": size, "tokens": tokens}
    marker.write_text(json.dumps(facts), encoding="utf-8")
    return Data(path, size, tokens)


class Maker:
    """Makes the data in `folder`, in full or in a 64th of the size."""

    def __init__(self, folder: Path, *, smoke: bool) -> None:
        self._folder = folder / ("smoke" if smoke else "full")
        self._share = SMOKE if smoke else 1

    def _recipe(self, name: str, seed: int, size: int) -> str:
        return f"{name} {_VERSION} {seed} {size}"

    def sparse(self, *, size: int = 512 * MIB, seed: int = 1, name: str = "sparse.log") -> Data:
        """An access log with a token every 10,000 lines."""
        size //= self._share
        return _made(
            self._folder / name,
            _write_plain,
            self._recipe("sparse", seed, size),
            sparse(seed, size),
        )

    def big(self) -> Data:
        """The same in 1 GiB."""
        return self.sparse(size=1024 * MIB, seed=2, name="big.log")

    def dense(self) -> Data:
        """100 MB with a distinct token in every third line."""
        size = 100 * MB // self._share
        return _made(
            self._folder / "dense.log", _write_plain, self._recipe("dense", 3, size), dense(3, size)
        )

    def repeats(self) -> Data:
        """100 MB with a token in every third line, most of them met before."""
        size = 100 * MB // self._share
        return _made(
            self._folder / "repeats.log",
            _write_repeats,
            self._recipe("repeats", 5, size),
            repeats(5, size),
        )

    def gzip(self) -> Data:
        """The sparse log as `gzip -6` leaves it."""
        size = 512 * MIB // self._share
        return _made(
            self._folder / "sparse.log.gz",
            _write_gzip,
            self._recipe("gzip", 1, size),
            sparse(1, size),
        )

    def many(self) -> Data:
        """10,000 files of 20 KB."""
        count = 10_000 // self._share
        return _made(
            self._folder / "many",
            _write_many,
            self._recipe("many", 4, count),
            small_files(4, count, 20_000),
        )


def digest(parts: Iterator[bytes]) -> str:
    """SHA-256 of parts joined, for tests."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()
