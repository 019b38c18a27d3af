"""Runs the same commands with two installed programs and says where they differ, to the byte.

    python tests/bench/equality.py BEFORE AFTER [--corpus PATH ...]
    python tests/bench/equality.py BEFORE --save DIR [--corpus PATH ...]
    python tests/bench/equality.py AFTER --against DIR

BEFORE and AFTER are `jwtleak` executables with their Python beside them. Status, standard output
and standard error are compared. Both programs work one after the other in the same directory with
the same key for subjects, so paths and hashes need no mending. `tail`, `state` and sinks run under
a clock that stands still, with one process number and random names that are counted (`_STILL`).
What differs even then is replaced by a word, and each case names what (`rules`). A saved run
remembers its corpora and its documentation.

The sample logs of the documentation are always a corpus. Port 1 of this machine must be closed.
Exit status: 0 where nothing differs, 1 where something does, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import base64
import bz2
import contextlib
import fcntl
import fnmatch
import functools
import gzip
import hashlib
import hmac
import io
import json
import lzma
import os
import re
import shutil
import signal
import socket
import socketserver
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

# Scans judge expiry at the first moment. The clock of `_STILL` stands at the second, when samples
# are live.
_NOW = "2026-06-01T00:00:00Z"
_MOMENT = 1_768_478_400
_DAY = 86_400
_KEY = b"a throw-away key of the comparing"
_LIMIT = 1 << 20
_SMALL = 4 << 20
_TAILED = 64 << 10
_TIMEOUT = 180
_EXPECTED = ".expect.json"
_SAMPLES = "samples"
_TOGETHER = 20
_CLOSED = "127.0.0.1:1"
_JOBS = (os.cpu_count() or 1) + 1
_WAITING = 4
_NAMES = ("status", "stdout", "stderr")

# Runs a program while time stands still, process numbers are one, and random names are counted.
_STILL = """
import itertools, os, secrets, sys, time, uuid
now, count = float(sys.argv[1]), itertools.count(1)
time.time, time.time_ns = lambda: now, lambda: int(now * 1e9)
os.getpid = lambda: 4242
secrets.token_bytes = lambda size=32: next(count).to_bytes(size, "big")
secrets.token_hex = lambda size=32: secrets.token_bytes(size).hex()
uuid.uuid4 = lambda: uuid.UUID(int=next(count))
sys.argv = sys.argv[2:]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"), {"__name__": "__main__"})
"""

# Uses the library as its documentation shows: what it exports, and what it finds in each file.
_LIBRARY = """
import hashlib, sys
import jwtleak, msgspec
print(sorted(jwtleak.__all__), jwtleak.__version__)
for path in sys.stdin.read().splitlines():
    data = open(path, "rb").read()
    print("==", path, hashlib.sha256(jwtleak.redact(data)).hexdigest())
    finder = jwtleak.Finder()
    pieces = [one for at in range(0, len(data), 777) for one in finder.feed(data[at : at + 777])]
    found = jwtleak.scan(data)
    print(len(found), len(pieces + finder.close()))
    for one in found:
        print(one.offset, one.line, one.column, one.sha256, one.channel, one.encodings)
        alert = jwtleak.alert(one, now=1.78e9, key=b"k" * 32, path=path)
        print(msgspec.json.encode(alert).decode())
"""

Rule: TypeAlias = tuple[re.Pattern[bytes], bytes]


class Outcome(NamedTuple):
    """What one command gave."""

    status: int
    out: bytes
    err: bytes

    def after(self, rules: Iterable[Rule]) -> Outcome:
        """The same with words in place of what differs from run to run."""
        out, err = self.out, self.err
        for pattern, word in rules:
            out, err = pattern.sub(word, out), pattern.sub(word, err)
        return Outcome(self.status, out, err)


class Side(NamedTuple):
    """A program and the directory in which it works."""

    program: Path
    root: Path

    @property
    def python(self) -> str:
        """The Python of the program."""
        return str(self.program.with_name("python"))

    def command(self, args: Sequence[str], still: float | None = None) -> list[str]:
        """The command line, under a clock that stands at `still` where one is given."""
        if still is None:
            return [str(self.program), *args]
        return [self.python, "-P", "-c", _STILL, str(still), str(self.program), *args]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The same few variables for every command."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.root / "home"),
            "XDG_STATE_HOME": str(self.root / "state"),
            "TMPDIR": str(self.root / "tmp"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SINK_TOKEN": "a-token-of-the-comparing",
            "HOOK_SECRET": "whsec_" + base64.b64encode(b"s" * 32).decode(),
            **(more or {}),
        }


Action: TypeAlias = Callable[[Side, Path], Outcome]


class Case(NamedTuple):
    """Steps that share a directory. `made` is written there first. A lone step has no name of its
    own. A case that `waits` takes long and does little."""

    name: str
    steps: Mapping[str, Action]
    made: Mapping[str, bytes] = {}
    rules: tuple[Rule, ...] = ()
    waits: bool = False

    def play(self, side: Side) -> dict[str, Outcome]:
        """Do it, and give what each step gave."""
        folder = side.root / "run" / self.name
        folder.mkdir(parents=True)
        for name, data in self.made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return {
            f"{self.name}/{name}" if name else self.name: action(side, folder).after(self.rules)
            for name, action in self.steps.items()
        }


def rule(pattern: str, word: str) -> Rule:
    """A rule from texts."""
    return re.compile(pattern.encode()), word.encode()


_TOOK = rule(r"in \d+\.\d s \([^)]*\)", "in <time>")
_BETWEEN = rule(r'"((?:start|end)_?[Tt]ime(?:Utc)?)":"[^"]*"', r'"\1":"<time>"')
_ANSWERED = rule(r"taken after \d+\.\d\d s", "taken after <time>")
_INODE = rule(r'"device":\d+,"inode":\d+', '"device":<n>,"inode":<n>')
_PORT = rule(r"(port |127\.0\.0\.1:)\d{4,5}", r"\1<port>")
_CLOCK = rule(r'"(detected_at|first_seen|last_seen|time)":"[^"]*"', r'"\1":"<time>"')
_ASIDE = rule(r"damaged-\d{8}T\d{6}Z", "damaged-<time>")
_TEMPORARY = rule(r"jwtleak-[a-z0-9_]{8}\b", "jwtleak-<name>")
_PLACE = rule(r"Error at jwtleak[\w.]*:\d+", "Error at <place>")
_CONNECT = rule(r"after \d+ms", "after <time>")


# -- running ---------------------------------------------------------------------------------------


def sections(parts: Mapping[str, bytes]) -> bytes:
    """Several outputs as one, each below its name."""
    return b"".join(b"== %b\n%b\n" % (name.encode(), data) for name, data in parts.items())


def contents(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The files that a command wrote; a missing one says so."""
    found = {}
    for name in names:
        path = folder / name
        found[name] = path.read_bytes() if path.is_file() else b"(is not there)"
    return found


def ended(
    command: Sequence[str], folder: Path, env: Mapping[str, str], given: bytes | None
) -> Outcome:
    """Run a command to its end."""
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            **source,
        )
    except subprocess.TimeoutExpired:
        return Outcome(-1, b"", b"no end after %d s" % _TIMEOUT)
    return Outcome(done.returncode, done.stdout, done.stderr)


def call(
    *args: str,
    given: bytes | None = None,
    files: Sequence[str] = (),
    still: float | None = None,
    env: Mapping[str, str] | None = None,
) -> Action:
    """A step that runs the program. `given` is its standard input, `files` are what it writes."""

    def action(side: Side, folder: Path) -> Outcome:
        done = ended(side.command(args, still), folder, side.environment(env), given)
        if not files:
            return done
        return done._replace(out=sections({"stdout": done.out, **contents(folder, files)}))

    return action


def one(name: str, action: Action, *rules: Rule, **more: Any) -> Case:
    """A case of one step."""
    return Case(name, {"": action}, rules=rules, **more)


def prepare(root: Path) -> None:
    """Empty the directory in which a side works, and put the key of subjects where both find it."""
    for name in ("run", "home", "state", "tmp"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    keep_key(root / "state" / "jwtleak")


def keep_key(directory: Path) -> None:
    """Write the key of subjects into a directory of state."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / "subject.key").write_bytes(hashlib.sha256(_KEY).digest())


def run(program: Path, root: Path, cases: Sequence[Case], jobs: int) -> dict[str, Outcome]:
    """Run all cases with one program, several at once; those that mostly wait beside the others."""
    prepare(root)
    side = Side(program, root)
    found: dict[str, Outcome] = {}
    with ThreadPoolExecutor(_WAITING) as waiting, ThreadPoolExecutor(jobs) as working:
        pools = [(waiting if case.waits else working) for case in cases]
        plays = [pool.submit(case.play, side) for pool, case in zip(pools, cases, strict=True)]
        for play in plays:
            found |= play.result()
    shutil.rmtree(root / "run", ignore_errors=True)
    return found


# -- what is read ----------------------------------------------------------------------------------


def encoded(data: bytes | Mapping[str, Any]) -> str:
    """base64url of bytes or compact JSON, without padding."""
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(claims: Mapping[str, Any], key: bytes = _KEY, **header: str) -> str:
    """A token signed with `key`; one with `alg` none has no signature."""
    head = {"alg": "HS256", "typ": "JWT", **header}
    signed = f"{encoded(head)}.{encoded(claims)}"
    signature = b"" if head["alg"] == "none" else hmac.digest(key, signed.encode(), "sha256")
    return f"{signed}.{encoded(signature)}"


def encrypted() -> str:
    """An encrypted token of the right lengths."""
    noise = hashlib.shake_128(_KEY)
    parts = [noise.digest(size) for size in (256, 12, 120, 16)]
    head = encoded({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "e1"})
    return ".".join([head, *map(encoded, parts)])


def tokens() -> dict[str, str]:
    """A token of each sort that `inspect` explains in its own way."""
    known = {
        "iss": "https://idp.example/",
        "sub": "user-1",
        "aud": ["api", "web"],
        "iat": _MOMENT - 60,
    }
    live = known | {"exp": _MOMENT + 3600, "scope": "read write", "jti": "1"}
    whole = token(live, kid="k1")
    return {
        "live": whole,
        "expired": token(known | {"exp": _MOMENT - 3600}),
        "early": token(known | {"nbf": _MOMENT + 3600, "exp": _MOMENT + 7200}),
        "forever": token(known),
        "wrong-expiry": token(known | {"exp": "tomorrow"}),
        "unsigned": token(live, alg="none"),
        "weak": token(live, b"secret"),
        "kubernetes": token(live | {"sub": "system:serviceaccount:shop:web"}, kid="k2"),
        "google": token(live | {"iss": "https://accounts.google.com", "email": "a@b.example"}),
        "header-urls": token(live, jku="https://a.example/keys", x5u="https://b.example/cert"),
        "rsa": token(live, alg="RS256", kid="2026-01"),
        "encrypted": encrypted(),
        "cut": whole[: len(whole) * 2 // 3],
        "bearer": f"Authorization: Bearer {whole}",
        "two": f"a {whole} b {token(known, b'secret')}\n",
        "nothing": "no token here\n",
        "empty": "",
    }


def extras() -> dict[str, bytes]:
    """Files that options name: keys, words, rules."""
    jwks = {"keys": [{"kty": "oct", "kid": "k1", "alg": "HS256", "k": encoded(_KEY)}]}
    policy = """
[[allow]]
channel = "cookie"
reason = "known"

[[allow]]
issuer = "https://idp.**"
until = 2020-01-01
reason = "over"

[[raise]]
status = "live"
severity = "critical"
reason = "never"
"""
    rules = policy.replace('status = "live"', 'channel = "url_query"').encode()
    return {
        "keys.json": json.dumps(jwks).encode(),
        "words.txt": b"secret\npassword\nyour-256-bit-secret\n" + _KEY + b"\n",
        "policy.toml": rules,
        "wrong.toml": policy.encode(),
    }


class Corpus(NamedTuple):
    """A file or a directory that is searched, and its name in the names of commands."""

    label: str
    path: Path

    def files(self, limit: int) -> list[Path]:
        """The regular files of at most `limit` bytes, in order."""
        found = [self.path] if self.path.is_file() else sorted(self.path.rglob("*"))
        return [one for one in found if one.is_file() and one.stat().st_size < limit]

    def relative(self, file: Path) -> str:
        """The name of a file in the corpus."""
        return self.label if file == self.path else f"{self.label}/{file.relative_to(self.path)}"

    @property
    def small(self) -> bool:
        """Whether it is searched in a moment."""
        return sum(file.stat().st_size for file in self.files(sys.maxsize)) < _SMALL


def corpora(docs: Path, given: Iterable[Path]) -> list[Corpus]:
    """The sample logs and what is given, each with a label of its own."""
    found = [Corpus(_SAMPLES, docs / "examples" / "logs")]
    for path in given:
        label, number = path.name, 1
        while label in {one.label for one in found}:
            number += 1
            label = f"{path.name}-{number}"
        found.append(Corpus(label, path))
    return found


@functools.cache
def damaged() -> dict[str, bytes]:
    """Archives, whole and cut, with a token in them."""
    line = f"GET /?access_token={token({'sub': 'packed'})} HTTP/1.1\n".encode() * 40
    packed = gzip.compress(line, mtime=0)
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a/app.log"), line, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo("b.gz"), packed)
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        member = tarfile.TarInfo("a/app.log")
        member.size = len(line)
        archive.addfile(member, io.BytesIO(line))
    whole = {
        "a.gz": packed,
        "a.bz2": bz2.compress(line),
        "a.xz": lzma.compress(line),
        "a.zip": zipped.getvalue(),
        "a.tar": tarred.getvalue(),
        "a.tar.gz": gzip.compress(tarred.getvalue(), mtime=0),
    }
    cut = {f"cut.{name}": data[: len(data) * 2 // 3] for name, data in whole.items()}
    wrong = {f"wrong.{name}": flipped(data) for name, data in whole.items()}
    bomb = {"bomb.gz": gzip.compress(bytes(8 << 20), mtime=0), "empty.log": b""}
    return whole | cut | wrong | bomb


def flipped(data: bytes) -> bytes:
    """The data with a byte in its middle changed."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


# -- scan, redact, inspect -------------------------------------------------------------------------

_FORMATS = ("table", "json", "ecs", "ocsf", "cef", "leef", "gelf", "sarif", "gitlab", "csv")

# Options of `scan` with the files that they write.
_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "only-live": (("--only-live", "--now", "2026-01-15T12:00:00Z"), ()),
    "status": (("--status", "expired", "--status", "no_expiry", "--every"), ()),
    "min-severity": (("--min-severity", "medium"), ()),
    "high": (("--min-confidence", "high"), ()),
    "fail-on-never": (("--fail-on", "never"), ()),
    "fail-on-critical": (("--fail-on", "critical"), ()),
    "leeway": (("--leeway", "86400", "--now", "1768478400"), ()),
    "include": (("--include", "**/*.log", "--exclude", "*q*"), ()),
    "event-time": (("-f", "ecs", "--timestamp", "event"), ()),
    "output": (("-o", "out.jsonl"), ("out.jsonl",)),
    "output-table": (("-f", "table", "-o", "out.txt"), ("out.txt",)),
    "config": (("--config", "policy.toml"), ()),
    "suppressed": (("--config", "policy.toml", "--show-suppressed"), ()),
    "jwks": (("--jwks", "keys.json"), ()),
    "weak-keys": (("--weak-keys", "words.txt", "--weak-keys-time", "0"), ()),
    "max-token": (("--max-token", "300"), ()),
    "max-archive": (("--max-archive-bytes", "1k", "--max-ratio", "2"), ()),
    "max-depth": (("--max-depth", "0", "--every"), ()),
    "write-baseline": (("--write-baseline", "base.json"), ("base.json",)),
    "sink": (("--sink", "file:alerts.jsonl", "--sink", "file:b.cef?format=cef"), ()),
}

_FEW = ("only-live", "status", "suppressed", "jwks", "weak-keys", "max-token")


def scans(corpus: Corpus) -> Iterator[Case]:
    """Scan a corpus in each way, with one process and with two."""
    ways = {"grouped": (), "every": ("--every",), "low": ("--min-confidence", "low")}
    for way, options in ways.items():
        for jobs in ("1", "2"):
            args = ("scan", "--now", _NOW, "-j", jobs, *options, str(corpus.path))
            yield one(f"scan/{corpus.label}/{way}-{jobs}", call(*args))


def formats(corpus: Corpus) -> Iterator[Case]:
    """Scan a corpus into each format."""
    for form in _FORMATS:
        action = call("scan", "--now", _NOW, "-f", form, str(corpus.path))
        yield one(f"formats/{corpus.label}/{form}", action, _TOOK, _BETWEEN)


def tables(corpus: Corpus) -> Iterator[Case]:
    """Show a corpus as a table where the terminal is narrow and where it has few letters."""
    for name, env in {"narrow": {"COLUMNS": "80"}, "plain": {"LC_ALL": "C"}}.items():
        action = call("scan", "--now", _NOW, "-f", "table", str(corpus.path), env=env)
        yield one(f"formats/{corpus.label}/{name}", action, _TOOK)


def options(corpus: Corpus, docs: Path) -> Iterator[Case]:
    """Scan the samples with each option that changes what comes, other corpora with a few."""
    path = str(corpus.path)
    for name in _OPTIONS if corpus.label == _SAMPLES else _FEW:
        args, files = _OPTIONS[name]
        written = (*files, "alerts.jsonl", "b.cef") if name == "sink" else files
        action = call("scan", "--now", _NOW, *args, path, files=written)
        yield one(f"options/{corpus.label}/{name}", action, _TOOK, made=extras())
    if corpus.path.is_file():
        return
    patterns = call("scan", "--now", _NOW, "--patterns", str(docs / "examples" / "patterns"), path)
    yield one(f"options/{corpus.label}/patterns", patterns)
    again = ("scan", "--now", _NOW, "--state", "st", "-o", "out.jsonl", path)
    yield Case(
        f"options/{corpus.label}/state",
        {
            "first": call(*again, files=["out.jsonl"]),
            "resumed": call(*again, "--resume", files=["out.jsonl"]),
            "anew": call(*again, files=["out.jsonl"]),
            "baseline": call("scan", "--now", _NOW, "--write-baseline", "b.json", path),
            "kept-back": call(
                "scan", "--now", _NOW, "--baseline", "b.json", path, files=["b.json"]
            ),
        },
    )


def pipes(corpus: Corpus) -> Iterator[Case]:
    """Read each file of a corpus from standard input."""
    for file in corpus.files(_LIMIT):
        data, name = file.read_bytes(), corpus.relative(file)
        yield one(f"pipe/scan/{name}", call("scan", "-", "--now", _NOW, given=data))
        yield one(f"pipe/redact/{name}", call("redact", given=data))
        yield one(f"pipe/inspect/{name}", call("inspect", "--now", _NOW, given=data))


def redacts(corpus: Corpus) -> Iterator[Case]:
    """Redact the files of a corpus that are not large.

    Each has a process of its own. Those of a large corpus, and what is expected of cases, share
    one: to start a program takes longer than to redact most of them.
    """
    together: list[Path] = []
    small = corpus.small
    for file in corpus.files(_LIMIT):
        if small and not file.name.endswith(_EXPECTED):
            yield one(f"redact/{corpus.relative(file)}", call("redact", str(file)))
        else:
            together.append(file)
    for number, at in enumerate(range(0, len(together), _TOGETHER)):
        paths = map(str, together[at : at + _TOGETHER])
        yield one(f"redact-together/{corpus.label}/{number}", call("redact", *paths))
    some = [str(file) for file in corpus.files(_TAILED)[:20]]
    checked = call("redact", "--check", "-o", "out", *some, files=["out"])
    yield one(f"redact-check/{corpus.label}", checked)


def inspects() -> Iterator[Case]:
    """Explain tokens of each sort in each form."""
    ways: dict[str, tuple[str, ...]] = {
        "text": ("--jwks", "keys.json"),
        "json": ("-f", "json"),
        "more": ("--weak-keys", "words.txt", "--weak-keys-time", "0", "--config", "policy.toml"),
    }
    at = ("--now", str(_MOMENT))
    for name, text in tokens().items():
        given = text.encode()
        steps = {way: call("inspect", *at, *args, given=given) for way, args in ways.items()}
        yield Case(f"inspect/{name}", steps, extras())
    live = tokens()["live"]
    many = "\n".join(token({"n": number}) for number in range(120)).encode()
    yield one("inspect/many", call("inspect", *at, given=many))
    yield one("inspect/file", call("inspect", *at, "--file", "t"), made={"t": live.encode()})
    yield one("inspect/argument", call("inspect", live))
    yield one("inspect/no-file", call("inspect", "--file", "missing"))


def library(corpus: Corpus) -> Iterator[Case]:
    """Use the package from Python on each file of a corpus that is not large."""
    paths = "\n".join(map(str, corpus.files(_LIMIT))).encode()

    def action(side: Side, folder: Path) -> Outcome:
        return ended([side.python, "-P", "-c", _LIBRARY], folder, side.environment(), paths)

    yield one(f"library/{corpus.label}", action)


# -- help, patterns, usage, configurations ---------------------------------------------------------

_COMMANDS = (
    "", "scan", "tail", "check-config", "redact", "inspect", "patterns", "patterns list",
    "patterns check", "state", "state show", "state prune", "state reset", "state dead-letters",
    "state dead-letters show", "state dead-letters replay", "test-sink", "schema",
)  # fmt: skip


def helps() -> Iterator[Case]:
    """Ask each command for its help, and the groups for what they say without a command."""
    for command in _COMMANDS:
        words = command.split()
        name = "-".join(words) or "jwtleak"
        yield one(f"help/{name}", call(*words, "--help"))
        if not words or words[-1] in ("patterns", "state", "dead-letters"):
            yield one(f"help/{name}-alone", call(*words))
    yield one("help/short", call("scan", "-h"))
    yield one("version/version", call("--version"))
    yield one("version/short", call("-V"))


_TICKET = """
[[pattern]]
id = "shop.ticket"
title = "Ticket"
regex = '''ticket=(?P<secret>[0-9a-f]{32})'''
keywords = ["ticket="]
secret_group = "secret"
severity = "high"
confidence = "high"
examples = ["ticket=00112233445566778899aabbccddeeff"]
negative_examples = ["ticket=none"]
"""

# Patterns that are refused, by what is wrong with them.
_BAD_PATTERNS = {
    "no-toml": "[[pattern",
    "unknown-key": _TICKET + 'colour = "red"\n',
    "no-example": _TICKET.replace('examples = ["ticket=0', 'examples = ["ticket=z'),
    "negative": _TICKET.replace("ticket=none", "ticket=00112233445566778899aabbccddeeff"),
    "no-keyword": _TICKET.replace('"ticket="', ""),
    "short-keyword": _TICKET.replace('"ticket="', '"ti"'),
    "bad-regex": _TICKET.replace("(?P<secret>", "(?P<secret>("),
    "no-group": _TICKET.replace('"secret"', '"other"'),
    "severity": _TICKET.replace('severity = "high"', 'severity = "awful"'),
    "twice": _TICKET + _TICKET,
    "slow": _TICKET.replace("[0-9a-f]{32}", "(?:[0-9a-f]+)+x"),
}


def patterns(docs: Path) -> Iterator[Case]:
    """List and check patterns, good and bad ones; print the schema."""
    samples = str(docs / "examples" / "patterns")
    yield one("patterns/list", call("patterns", "list"))
    yield one("patterns/list-more", call("patterns", "list", "--patterns", samples))
    yield one("patterns/check", call("patterns", "check"))
    yield one("patterns/check-more", call("patterns", "check", samples))
    yield one("patterns/check-missing", call("patterns", "check", "missing"))
    text = b"GET /?ticket=00112233445566778899aabbccddeeff\n"
    for name, source in _BAD_PATTERNS.items():
        steps = {
            "check": call("patterns", "check", "p"),
            "list": call("patterns", "list", "--patterns", "p"),
            "scan": call("scan", "-", "--now", _NOW, "--patterns", "p", given=text),
        }
        yield Case(f"patterns/{name}", steps, {"p/bad.toml": source.encode()})
    yield one("schema/schema", call("schema"))


_USAGE: dict[str, tuple[str, ...]] = {
    "no-command": ("fly",),
    "no-option": ("scan", "--fly", "."),
    "missing": ("scan", "missing", "--now", _NOW),
    "missing-and-there": ("scan", "missing", "a.gz", "--now", _NOW),
    "two-inputs": ("scan", "-", "a.gz"),
    "jobs": ("scan", "-j", "0", "a.gz"),
    "severity": ("scan", "--min-severity", "awful", "a.gz"),
    "format": ("scan", "-f", "xml", "a.gz"),
    "now": ("scan", "--now", "yesterday", "a.gz"),
    "leeway": ("scan", "--leeway", "-1", "a.gz"),
    "max-token": ("scan", "--max-token", "10", "a.gz"),
    "size": ("scan", "--max-archive-bytes", "1q", "a.gz"),
    "depth": ("scan", "--max-depth", "9", "a.gz"),
    "no-value": ("scan", "a.gz", "--now"),
    "resume": ("scan", "--resume", "a.gz"),
    "state-stdin": ("scan", "-", "--state", "st"),
    "state-format": ("scan", "a.gz", "--state", "st", "-f", "csv"),
    "only-live": ("scan", "--only-live", "--status", "expired", "a.gz"),
    "output": ("scan", "--now", _NOW, "a.gz", "-o", "missing/out"),
    "output-directory": ("scan", "--now", _NOW, "a.gz", "-o", "."),
    "no-patterns": ("scan", "--patterns", "missing", "a.gz"),
    "no-baseline": ("scan", "--baseline", "missing", "a.gz"),
    "bad-baseline": ("scan", "--now", _NOW, "--baseline", "a.gz", "a.gz"),
    "no-jwks": ("scan", "--jwks", "missing", "a.gz"),
    "bad-jwks": ("scan", "--now", _NOW, "--jwks", "a.gz", "a.gz"),
    "no-words": ("scan", "--weak-keys", "missing", "a.gz"),
    "no-config": ("scan", "--config", "missing", "a.gz"),
    "no-sink-config": ("scan", "--sink-config", "missing", "a.gz"),
    "no-sinks": ("scan", "--now", _NOW, "--sink-config", "empty.log", "a.gz"),
    "sink-scheme": ("scan", "--sink", "ftp://a", "a.gz"),
    "sink-deadline": ("scan", "--sink-deadline", "x", "a.gz"),
    "loop": ("scan", "--now", _NOW, "loop", "dangling"),
    "memory": ("scan", "--now", _NOW, "/proc/self/mem"),
    "shut": ("scan", "--now", _NOW, "shut.log"),
    "directory": ("scan", "--now", _NOW, "."),
    "redact-missing": ("redact", "missing", "empty.log"),
    "redact-packed": ("redact", "a.gz"),
    "redact-directory": ("redact", "."),
    "redact-itself": ("redact", "empty.log", "-o", "empty.log"),
    "redact-output": ("redact", "empty.log", "-o", "missing/out"),
    "redact-loop": ("redact", "loop"),
    "redact-memory": ("redact", "/proc/self/mem"),
    "inspect-directory": ("inspect", "--file", "."),
    "inspect-now": ("inspect", "--now", "x"),
    "inspect-format": ("inspect", "-f", "xml"),
    "tail-nothing": ("tail", "--state", "st"),
    "tail-from": ("tail", ".", "--state", "st", "--from", "middle"),
    "tail-since": ("tail", ".", "--state", "st", "--from", "since:x"),
    "tail-window": ("tail", ".", "--state", "st", "--window", "x"),
    "tail-rate": ("tail", ".", "--state", "st", "--rate", "0"),
    "tail-metrics": ("tail", ".", "--state", "st", "--metrics", "here"),
    "tail-metrics-name": ("tail", ".", "--state", "st", "--metrics", "host.example:1"),
    "tail-log": ("tail", ".", "--state", "st", "--log-format", "xml"),
    "tail-sink": ("tail", ".", "--state", "st", "--sink", "nowhere"),
    "tail-config": ("tail", "-c", "missing", "--state", "st"),
    "tail-state": ("tail", ".", "--state", "a.gz"),
    "test-sink-nothing": ("test-sink",),
    "test-sink-name": ("test-sink", "stdout", "--name", "other"),
    "test-sink-config": ("test-sink", "-c", "missing"),
    "schema-argument": ("schema", "more"),
    "patterns-command": ("patterns", "fly"),
    "state-command": ("state", "fly"),
    "state-missing": ("state", "show", "--state", "missing"),
    "state-format-2": ("state", "show", "--state", "st", "-f", "xml"),
    "prune-age": ("state", "prune", "--state", "missing", "--older-than", "x"),
    "prune-missing": ("state", "prune", "--state", "missing"),
    "reset-missing": ("state", "reset", "--state", "missing", "--yes"),
    "replay-both": ("state", "dead-letters", "replay", "1", "--sink", "a", "--state", "missing"),
    "replay-number": ("state", "dead-letters", "replay", "x"),
}


def usage() -> Iterator[Case]:
    """Use the commands wrongly, and give them what cannot be read."""

    def placed(args: tuple[str, ...]) -> Action:
        def action(side: Side, folder: Path) -> Outcome:
            (folder / "loop").symlink_to("loop")
            (folder / "dangling").symlink_to("nowhere")
            (folder / "shut.log").touch(mode=0)
            return call(*args)(side, folder)

        return action

    for name, args in _USAGE.items():
        yield one(f"usage/{name}", placed(args), _PLACE, made=damaged())
    for name in damaged():
        scan = call("scan", "--now", _NOW, "-j", "1", name)
        given = call("scan", "-", "--now", _NOW, given=damaged()[name])
        yield Case(f"damaged/{name}", {"scan": scan, "pipe": given}, damaged())


_SINK = '[[sink]]\nurl = "file:out.jsonl"\n'
_SIEM = """
[[sink]]
name = "siem"
url = "syslog+tls://siem.example:6514"
when = 'severity >= "high"'
"""

_CONFIGS: dict[str, str] = {
    "empty": "",
    "good": '[tail]\npaths = ["logs"]\nwindow = "5m"\nheartbeat = 30\n' + _SINK,
    "good-metrics": '[tail]\npaths = ["logs"]\n[metrics]\naddress = "9464"\n',
    "good-log": '[tail]\npaths = ["logs"]\n[log]\nformat = "json"\n',
    "good-sinks": '[tail]\npaths = ["logs"]\nstate = "st"\n' + _SINK + _SIEM,
    "good-policy": '[tail]\npaths = ["logs"]\n[[allow]]\nchannel = "cookie"\nreason = "r"\n',
    "no-toml": "[tail\npaths = 1\n",
    "no-toml-value": "[tail]\npaths = [a]\n",
    "twice": "[tail]\n[tail]\n",
    "section": '[tails]\npaths = ["a"]\n',
    "key": '[tail]\npath = ["a"]\n',
    "paths-type": '[tail]\npaths = "a"\n',
    "paths-empty": "[tail]\npaths = []\n",
    "poll-type": '[tail]\npaths = ["a"]\npoll = "yes"\n',
    "from": '[tail]\npaths = ["a"]\nfrom = "middle"\n',
    "symlinks": '[tail]\npaths = ["a"]\nsymlinks = "maybe"\n',
    "interval": '[tail]\npaths = ["a"]\nfile_interval = -1\n',
    "window": '[tail]\npaths = ["a"]\nwindow = "long"\n',
    "window-negative": '[tail]\npaths = ["a"]\nwindow = -5\n',
    "heartbeat": '[tail]\npaths = ["a"]\nheartbeat = "10ms"\n',
    "severity": '[tail]\npaths = ["a"]\nmin_severity = "awful"\n',
    "spool": '[tail]\npaths = ["a"]\nspool = 10\n',
    "rate": '[tail]\npaths = ["a"]\nrate = 0\n',
    "when-full": '[tail]\npaths = ["a"]\nwhen_full = "panic"\n',
    "damaged": '[tail]\npaths = ["a"]\nwhen_damaged = "panic"\n',
    "patterns": '[tail]\npaths = ["a"]\npatterns = ["missing"]\n',
    "metrics": '[tail]\npaths = ["a"]\n[metrics]\naddress = "here"\n',
    "metrics-type": '[tail]\npaths = ["a"]\n[metrics]\naddress = 9464\n',
    "log": '[tail]\npaths = ["a"]\n[log]\nformat = "xml"\n',
    "sink-table": '[tail]\npaths = ["a"]\n[sink]\nurl = "stdout"\n',
    "sink-empty": '[tail]\npaths = ["a"]\n[[sink]]\n',
    "sink-scheme": '[[sink]]\nurl = "ftp://host/"\n',
    "sink-no-url": '[[sink]]\nurl = "somewhere"\n',
    "sink-two-urls": '[[sink]]\nurl = "stdout"\nurl_env = "A"\n',
    "sink-key": '[[sink]]\nurl = "stdout"\ncolour = "red"\n',
    "sink-type": '[[sink]]\nurl = "stdout"\nmax_bytes = "many"\n',
    "sink-unused": '[[sink]]\nurl = "stdout"\nindex = "main"\n',
    "sink-range": '[[sink]]\nurl = "stdout"\nmax_bytes = 10\n',
    "sink-token": '[[sink]]\nurl = "hec+https://h:8088"\ntoken = "x"\n',
    "sink-password": '[[sink]]\nurl = "elastic+https://u:p@h:9200"\n',
    "sink-query": '[[sink]]\nurl = "file:a?format=cef"\n',
    "sink-no-path": '[[sink]]\nurl = "file:"\n',
    "sink-format": '[[sink]]\nurl = "file:a"\nformat = "xml"\n',
    "sink-document": '[[sink]]\nurl = "file:a"\nformat = "sarif"\n',
    "sink-when": '[[sink]]\nurl = "file:a"\nwhen = "severity > loud"\n',
    "sink-when-syntax": '[[sink]]\nurl = "file:a"\nwhen = "severity >= ("\n',
    "sink-names": '[[sink]]\nname = "a"\nurl = "file:a"\n[[sink]]\nname = "a"\nurl = "file:b"\n',
    "sink-key-file": '[[sink]]\nurl = "syslog+tls://h:1"\nkey_file = "k"\n',
    "sink-plain": '[[sink]]\nurl = "hec+http://far.example:8088"\ntoken_env = "SINK_TOKEN"\n',
    "sink-queue": '[[sink]]\nurl = "file:a"\nwhen_full = "drop-oldest"\n',
    "allow-no-reason": '[tail]\npaths = ["a"]\n[[allow]]\nchannel = "cookie"\n',
    "allow-no-condition": '[tail]\npaths = ["a"]\n[[allow]]\nreason = "r"\n',
    "allow-channel": '[tail]\npaths = ["a"]\n[[allow]]\nchannel = "pigeon"\nreason = "r"\n',
    "raise-no-severity": '[tail]\npaths = ["a"]\n[[raise]]\nchannel = "cookie"\nreason = "r"\n',
    "allow-until": '[tail]\npaths = ["a"]\n[[allow]]\nkid = "a"\nreason = "r"\nuntil = "soon"\n',
    "verify-http": '[verify]\nissuers = { "https://a/" = "http://a/keys" }\n',
    "verify-key": "[verify]\ncolour = 1\n",
    "verify-secret": '[tail]\npaths = ["a"]\n[[verify.secret]]\nissuer = "a"\nenv = "MISSING"\n',
}


def readers(name: str) -> dict[str, Action]:
    """Steps that read a configuration of this name: `check-config`, and what it is about."""
    place = ["logs"] if name.startswith(("sink", "verify")) else []
    steps = {"check": call("check-config", "-c", "c.toml", *place)}
    if name.startswith(("good", "empty")):
        steps["more"] = call("check-config", "-c", "c.toml", "logs", "--sink", "stdout")
    if name.startswith(("good", "empty", "no-toml", "section", "allow", "raise", "verify")):
        steps["scan"] = call("scan", "--now", _NOW, "--config", "c.toml", "logs")
    if name.startswith(("empty", "no-toml", "sink")):  # a good one connects
        scan = ("scan", "--now", _NOW, "-j", "1", "--sink-config", "c.toml", "logs")
        steps["sinks"] = call(*scan, still=_MOMENT)
        steps["test-sink"] = call("test-sink", "-c", "c.toml", still=_MOMENT)
    return steps


def configs(docs: Path, samples: Corpus) -> Iterator[Case]:
    """Check configurations, and give the wrong ones to whatever else reads one."""
    line = f"GET /?access_token={token({'sub': 'a'})} HTTP/1.1\n".encode()
    logs = {f"logs/{name}.log": line for name in "ab"}
    rules = (_ANSWERED, _TEMPORARY)
    for name, text in _CONFIGS.items():
        yield Case(f"config/{name}", readers(name), {"c.toml": text.encode(), **logs}, rules)
    yield one("config/latin", call("check-config", "-c", "c"), made={"c": b"[tail]\n# \xe9\n"})
    for name in ("missing", "."):
        yield one(f"config/no-file-{len(name)}", call("check-config", "-c", name))
    yield from flags(samples)
    yield from deployed(docs)


def flags(samples: Corpus) -> Iterator[Case]:
    """Check what options alone come to."""
    path = str(samples.path)
    ways: dict[str, tuple[str, ...]] = {
        "plain": (path,),
        "end": (path, "--from", "end"),
        "exclude": (path, "--exclude", "*.gz", "--exclude", "**/app/*"),
        "include": (path, "--include", "*.log", "--sink", "file:a", "--sink", "syslog+udp://h:514"),
        "glob": (path + "/*/*.log", "--poll", "--rate", "20m"),
        "missing": ("missing", "--metrics", "0.0.0.0:9464"),
        "file": (path + "/app/error.log", "--host", "here", "--window", "0"),
        "nothing": (),
    }
    for name, args in ways.items():
        yield one(f"config/flags-{name}", call("check-config", "--state", "st", *args))


def deployed(docs: Path) -> Iterator[Case]:
    """Check the configuration that is shipped, as it is and with paths of ours.

    What is followed as it is depends on the machine and the moment, so those lines are left out.
    """
    shipped = docs / "deploy" / "jwtleak.toml"
    there = rule(r"(?m)^(follow  .*|jwtleak: warning: /var/.*)\n", "")
    yield one("config/shipped", call("check-config", "-c", str(shipped), "--state", "st"), there)
    text = shipped.read_bytes().replace(b"/var/log", b"logs")
    made = {"c.toml": text, "logs/a.log": b"a\n", "logs/b.gz": b"", "logs/jwtleak/c": b"c\n"}
    here = call("check-config", "-c", "c.toml", "--state", "st")
    yield one("config/shipped-here", here, made=made)


# -- sinks -----------------------------------------------------------------------------------------


class Heard:
    """What a receiver was sent."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.parts: list[bytes] = []

    def add(self, data: bytes) -> None:
        """One more request or datagram, or what came over a connection."""
        with self.lock:
            self.parts.append(data)


class _Web(BaseHTTPRequestHandler):
    """Notes requests and answers all in the same way."""

    heard: Heard
    answer = 200
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Note it, and answer as the receiver of this path does."""
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        packed = self.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(raw) if packed else raw
        head = [f"{self.command} {self.path}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        self.heard.add("\n".join(head).encode() + b"\n\n" + body + b"\n")
        reply = self._reply(body)
        self.send_response(self.answer)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def _reply(self, body: bytes) -> bytes:
        if self.answer != 200:
            return b'{"text":"not here","code":7}'
        if "_bulk" in self.path:
            items = [{"create": {"status": 201}}] * (len(body.splitlines()) // 2)
            return json.dumps({"errors": False, "items": items}).encode()
        return b"" if "/v1/logs" in self.path else b'{"text":"Success","code":0}'

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Lines(socketserver.BaseRequestHandler):
    """Notes what comes over a connection until it is closed."""

    heard: Heard

    def handle(self) -> None:
        """Read to the end."""
        parts = []
        while data := self.request.recv(1 << 16):
            parts.append(data)
        self.heard.add(b"".join(parts))


class _Datagrams(socketserver.BaseRequestHandler):
    """Notes datagrams."""

    heard: Heard

    def handle(self) -> None:
        """Note one."""
        self.heard.add(self.request[0])


class _Connections(socketserver.ThreadingTCPServer):
    """Waits for its connections when it closes."""

    daemon_threads = False


@contextlib.contextmanager
def receiver(scheme: str, answer: int = 200) -> Iterator[tuple[str, Heard]]:
    """A receiver on this machine that fits the scheme: its address, and what it is sent."""
    heard = Heard()
    known: dict[str, Any] = {"heard": heard, "answer": answer}
    server: socketserver.BaseServer
    if scheme.endswith("http"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Web", (_Web,), known))
    elif scheme.endswith("udp"):
        server = socketserver.UDPServer(("127.0.0.1", 0), type("Datagrams", (_Datagrams,), known))
    else:
        server = _Connections(("127.0.0.1", 0), type("Lines", (_Lines,), known))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", heard
    finally:
        if scheme.endswith("udp"):
            time.sleep(0.3)  # datagrams that were sent have arrived, and wait to be noted
        server.shutdown()
        server.server_close()
        thread.join()


def to(scheme: str, rest: str, *args: str, answer: int = 200, ends: Sequence[str] = ()) -> Action:
    """A step that sends to a receiver; what it was sent stands in the output."""

    def action(side: Side, folder: Path) -> Outcome:
        with receiver(scheme, answer) as (address, heard):
            sent = (*args, f"{scheme}://{address}{rest}", *ends)
            done = call(*sent, still=_MOMENT)(side, folder)
        return done._replace(
            out=sections({"stdout": done.out, "heard": b"\n--\n".join(heard.parts)})
        )

    return action


# What stands behind the address of each sort of sink. One alert goes at once: how many wait when
# the next request leaves is chance.
_SINKS = {
    "webhook+http": "/hook?token_env=HOOK_SECRET",
    "hec+http": "?token_env=SINK_TOKEN&index=main&batch=1",
    "elastic+http": "?token_env=SINK_TOKEN&batch=1",
    "otlp+http": "?batch=1",
    "syslog+tcp": "?batch=1",
    "syslog+udp": "?rfc=3164",
    "gelf+tcp": "",
    "gelf+udp": "",
}


def sinks(samples: Corpus) -> Iterator[Case]:
    """Send the alerts of a scan and test alerts to receivers of each sort; some refuse."""
    path = str(samples.path)
    scan = ("scan", "--now", _NOW, "-j", "1", path, "--sink")
    for scheme, rest in _SINKS.items():
        yield one(f"sinks/scan/{scheme}", to(scheme, rest, *scan), _PORT, _TEMPORARY)
        yield one(f"sinks/test/{scheme}", to(scheme, rest, "test-sink"), _PORT, _ANSWERED)
    few, many = (400, 401, 503), (302, 400, 401, 403, 404, 413, 429, 503)
    for scheme in ("webhook+http", "hec+http", "elastic+http", "otlp+http"):
        for answer in many if scheme == "hec+http" else few:
            test = to(scheme, _SINKS[scheme], "test-sink", answer=answer)
            yield one(f"sinks/test/{scheme}-{answer}", test, _PORT, _ANSWERED)
    for form in ("json", "ecs", "ocsf", "cef", "leef", "gelf"):
        test = to("syslog+tcp", f"?format={form}&max_bytes=900", "test-sink")
        yield one(f"sinks/format/{form}", test, _PORT, _ANSWERED)
    for template in ("slack", "teams"):
        test = to("webhook+http", f"/chat?template={template}", "test-sink")
        yield one(f"sinks/format/{template}", test, _PORT, _ANSWERED)


def tests() -> Iterator[Case]:
    """Send test alerts to files, to standard output and to where nobody listens."""
    for form in ("json", "ecs", "ocsf", "cef", "leef", "gelf"):
        kept = call("test-sink", f"file:o?format={form}", files=["o"], still=_MOMENT)
        yield one(f"test-sink/file-{form}", kept, _ANSWERED)
        shown = call("test-sink", f"stdout?format={form}", still=_MOMENT)
        yield one(f"test-sink/stdout-{form}", shown, _ANSWERED)
    for scheme, rest in {**_SINKS, "kafka": "/t?timeout=2", "nats": "/s?timeout=2"}.items():
        action = call("test-sink", f"{scheme}://{_CLOSED}{rest}", still=_MOMENT)
        waits = scheme in ("kafka", "nats")
        yield one(f"test-sink/closed-{scheme}", action, _ANSWERED, _CONNECT, waits=waits)
    wrong = {
        "directory": "file:.",
        "no-directory": "file:missing/o",
        "socket": "syslog+unix:missing",
        "no-token": f"hec+http://{_CLOSED}",
        "no-secret": f"webhook+http://{_CLOSED}/x",
        "no-variable": f"hec+http://{_CLOSED}?token_env=MISSING",
        "password": "elastic+https://user:word@host:9200",
        "scheme": "ftp://host",
        "setting": "stdout?index=a",
        "value": "stdout?max_bytes=few",
        "path": "file:",
        "control": "file:a\nb",
        "format": "stdout?format=csv",
    }
    for name, url in wrong.items():
        yield one(f"test-sink/{name}", call("test-sink", url, still=_MOMENT), _ANSWERED)
    yield one("test-sink/two", call("test-sink", "stdout", "file:.", still=_MOMENT), _ANSWERED)


# -- tail ------------------------------------------------------------------------------------------


def settle(path: Path) -> None:
    """Let a file seem written an hour before the moment at which the clock stands."""
    os.utime(path, (_MOMENT - 3600, _MOMENT - 3600))


def copied(corpus: Corpus, folder: Path, limit: int) -> Path:
    """Copy the small files of a corpus."""
    place = folder / "logs"
    for file in corpus.files(limit):
        target = place / corpus.relative(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        settle(target)
    return place


def write(path: Path, text: str) -> None:
    """Append to a log as a program does."""
    with path.open("ab") as file:
        file.write(text.encode())
    settle(path)


def line(number: int) -> str:
    """A line with a token of its own that never expires."""
    return f"2026-01-15T11:59:00Z GET /cb?access_token={token({'n': number})} HTTP/1.1\n"


def alerts(path: Path) -> bytes:
    """The lines of a sink's file in an order of their own: files are read side by side."""
    return (
        b"".join(sorted(path.read_bytes().splitlines(keepends=True)))
        if path.exists()
        else b"(none)"
    )


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so, for a while: what is missing then shows as a difference."""
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.05)


_READY = re.compile(rb'(?m)^jwtleak: ready$|"message":"ready"')


class Tail:
    """A `tail` that runs. Its words and its alerts go to files of the directory."""

    def __init__(self, side: Side, folder: Path, *args: str) -> None:
        self.folder = folder
        self.out, self.err = folder / "alerts.jsonl", folder / "words.txt"
        keep_key(folder / "st")
        given = ("tail", "--state", "st", "--host", "here", "--metrics", "127.0.0.1:0", *args)
        with (folder / "stdout").open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                side.command(given, _MOMENT),
                cwd=folder,
                env=side.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def ready(self, times: int = 1) -> None:
        """Wait until it has said that all files are followed."""
        wait_for(lambda: len(_READY.findall(self.err.read_bytes())) >= times or self.over())

    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.over():
            self.process.kill()
            self.process.wait()

    def quiet(self, count: int, seconds: float = 3.0) -> None:
        """Wait until `count` alerts have arrived and no more have come for some seconds."""
        wait_for(lambda: self.lines() >= count)
        known, since = self.lines(), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.1)
            if self.lines() != known:
                known, since = self.lines(), time.monotonic()

    def lines(self) -> int:
        """How many alerts have arrived."""
        return self.out.read_bytes().count(b"\n") if self.out.exists() else 0

    def served(self) -> dict[str, bytes]:
        """What is served over HTTP: names and labels of metrics, health."""
        found = re.search(rb"served on port (\d+)", self.err.read_bytes())
        if found is None:
            return {"metrics": b"(no port was said)"}
        base = f"http://127.0.0.1:{int(found[1])}"
        return {
            "metrics": names(fetched(f"{base}/metrics")),
            **{path: fetched(f"{base}/{path}") for path in ("healthz", "readyz", "other")},
        }

    def end(self, parts: Mapping[str, bytes], by: signal.Signals = signal.SIGTERM) -> Outcome:
        """End it by a signal; what it gave."""
        self.process.send_signal(by)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = -1
        stdout = (self.folder / "stdout").read_bytes()
        shown = {"stdout": stdout, "alerts": alerts(self.out), **parts}
        return Outcome(status, sections(shown), self.err.read_bytes())


def fetched(url: str) -> bytes:
    """The answer to a request, an error's too."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            body: bytes = answer.read()
            return b"%d %b\n%b" % (answer.status, answer.headers["content-type"].encode(), body)
    except urllib.error.HTTPError as error:
        with error:
            return b"%d\n%b" % (error.code, error.read())
    except OSError as error:
        return str(error).encode()


def names(page: bytes) -> bytes:
    """Names, labels and descriptions of metrics, without their numbers."""
    lines = page.splitlines()
    return b"\n".join(
        sorted(row if row.startswith(b"#") else row.rpartition(b" ")[0] for row in lines)
    )


def follows(samples: Corpus) -> Iterator[Case]:
    """Follow logs that grow and rotate, and end by a signal."""

    def grow(side: Side, folder: Path) -> Outcome:
        logs = copied(samples, folder, _TAILED)
        with Tail(side, folder, str(logs), "--sink", "file:alerts.jsonl") as tail:
            tail.ready()
            write(logs / "new.log", line(1) + line(2) + line(1))
            tail.quiet(9)
            return tail.end(tail.served())

    yield one("tail/grow", grow, _PORT, waits=True)
    yield one("tail/rotate", rotated, _PORT, waits=True)


def rotated(side: Side, folder: Path) -> Outcome:
    """Follow one log over a rotation and two reloads, of which the first is refused."""
    log, config = folder / "logs" / "app.log", folder / "c.toml"
    log.parent.mkdir()
    write(log, line(1))
    text = f'[tail]\npaths = ["{log.parent}"]\nwindow = 0\n'
    text += '[[sink]]\nurl = "file:alerts.jsonl"\n'
    config.write_text(text)
    with Tail(side, folder, "-c", "c.toml", "--log-format", "json", "--poll") as tail:
        tail.ready()
        tail.quiet(1, 1.0)
        write(log, line(2))
        tail.quiet(2, 1.0)
        log.rename(log.with_suffix(".log.1"))
        write(log, line(3) + line(1))
        tail.quiet(4, 1.0)
        config.write_text("[tail")
        tail.process.send_signal(signal.SIGHUP)
        tail.ready(2)
        config.write_text(text + '[[sink]]\nurl = "file:more.cef"\nformat = "cef"\n')
        tail.process.send_signal(signal.SIGHUP)
        tail.ready(3)
        write(log, line(4))
        tail.quiet(5, 2.0)
        return tail.end({"more": alerts(folder / "more.cef")}, signal.SIGINT)


def once(side: Side, folder: Path, *args: str, still: float | None = _MOMENT) -> Outcome:
    """Run `tail --once` with a sink that is a file."""
    keep_key(folder / "st")
    given = (
        "tail",
        "--once",
        "--state",
        "st",
        "--host",
        "here",
        "--sink",
        "file:alerts.jsonl",
        *args,
    )
    done = call(*given, still=still)(side, folder)
    return done._replace(
        out=sections({"stdout": done.out, "alerts": alerts(folder / "alerts.jsonl")})
    )


def tails(corpus: Corpus) -> Iterator[Case]:
    """Catch up with the small files of a corpus."""
    warning = re.compile(rb"(?m)^jwtleak: warning: .*\n")

    def action(side: Side, folder: Path) -> Outcome:
        logs = str(copied(corpus, folder, _TAILED))
        every = call("scan", "--every", "--min-confidence", "low", "--now", _NOW, logs)
        shared = in_several(every(side, folder).out)
        done = once(side, folder, logs, "--window", "0")
        said = b"".join(sorted(warning.findall(done.err)))
        return Outcome(done.status, merged(done.out, shared), warning.sub(b"", done.err) + said)

    yield one(f"tail/once/{corpus.label}", action, waits=True)


_ID = re.compile(rb'"id":"([0-9a-f]{40})"')


def in_several(found: bytes) -> set[bytes]:
    """The ids of alerts that stand in several files, which begin in the same way."""
    first: dict[bytes, str] = {}
    shared = set()
    for text in found.splitlines():
        alert = json.loads(text)
        name, path = alert["id"].encode(), alert["location"]["path"]
        if first.setdefault(name, path) != path:
            shared.add(name)
    return shared


def merged(out: bytes, shared: set[bytes]) -> bytes:
    """The output with one bare line for each alert of several files.

    Such alerts have one id. While one waits for a sink the next is left out: which come is chance.
    """
    rows = []
    for row in out.splitlines():
        found = _ID.search(row)
        rows.append(b"shared " + found[1] if found is not None and found[1] in shared else row)
    return b"\n".join(dict.fromkeys(rows))


def turns(samples: Corpus) -> Iterator[Case]:
    """Catch up again and again, with options, and once by the clock of the machine."""

    def first(side: Side, folder: Path) -> Outcome:
        return once(side, folder, str(copied(samples, folder, _TAILED)))

    def again(side: Side, folder: Path) -> Outcome:
        return once(side, folder, "logs")

    def grown(side: Side, folder: Path) -> Outcome:
        write(folder / "logs" / samples.label / "app" / "error.log", line(7) + line(7))
        return once(side, folder, "logs", "--window", "0")

    def real(side: Side, folder: Path) -> Outcome:
        (folder / "logs").mkdir()
        (folder / "logs" / "a.log").write_text(line(1) + line(2) + line(1) + "end\n")
        return once(side, folder, "logs", still=None)

    steps = {
        "first": first,
        "again": again,
        "grown": grown,
        "reset": remembered("reset", "--yes"),
        "anew": again,
    }
    yield Case("tail/turns", steps, waits=True)
    yield one("tail/clock", real, _CLOCK, waits=True)
    ways: dict[str, tuple[str, ...]] = {
        "end": ("--from", "end"),
        "severity": ("--min-severity", "high"),
        "exclude": ("--exclude", "*.gz", "--include", "*.log"),
        "policy": ("-c", "policy.toml", "--exclude", "*.gz"),
        "keys": ("--jwks", "keys.json", "--weak-keys", "words.txt", "--exclude", "*.gz"),
    }
    for name, args in ways.items():

        def action(side: Side, folder: Path, args: tuple[str, ...] = args) -> Outcome:
            return once(side, folder, str(copied(samples, folder, _TAILED)), *args)

        yield one(f"tail/{name}", action, waits=True, made=extras())


# -- state -----------------------------------------------------------------------------------------


def remembered(*args: str, still: float = _MOMENT + 30) -> Action:
    """A step that runs `state` on the directory of the case."""
    return call("state", *args, "--state", "st", still=still)


def schema(_: Side, folder: Path) -> Outcome:
    """The schema in the file of the state."""
    with contextlib.closing(
        sqlite3.connect(f"file:{folder / 'st' / 'state.db'}?mode=ro", uri=True)
    ) as store:
        rows = [f"{name}: {store.execute(f'PRAGMA {name}').fetchone()[0]}" for name in _PRAGMAS]
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        rows += ["\n".join(map(str, row)) for row in store.execute(query)]
        for (table,) in store.execute(_TABLES).fetchall():
            (count,) = store.execute(f'SELECT count(*) FROM "{table}"').fetchone()
            rows.append(f"{table}: {count} rows")
    left = sorted(
        f"{path.name} {path.stat().st_mode & 0o777:o}" for path in (folder / "st").iterdir()
    )
    return Outcome(0, "\n".join([*rows, *left]).encode(), b"")


_PRAGMAS = (
    "user_version",
    "application_id",
    "journal_mode",
    "auto_vacuum",
    "page_size",
    "encoding",
)
_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
)


def looks() -> dict[str, Action]:
    """Steps that only look."""
    return {
        "show": remembered("show"),
        "table": remembered("show", "-f", "table"),
        "streams": remembered("show", "--streams"),
        "streams-table": remembered("show", "--streams", "-f", "table"),
        "letters": remembered("dead-letters", "show"),
        "letters-table": remembered("dead-letters", "show", "-f", "table"),
    }


def states(samples: Corpus) -> Iterator[Case]:
    """Make a state and look into it, prune it and forget it."""

    def first(side: Side, folder: Path) -> Outcome:
        return once(side, folder, str(copied(samples, folder, _TAILED)))

    late = _MOMENT + 400 * _DAY
    steps: dict[str, Action] = {
        "tail": first,
        "schema": schema,
        **looks(),
        "check": call("check-config", "logs", "--state", "st", still=_MOMENT),
        "reset-path": call("state", "reset", "logs/x.log", "--state", "st", still=_MOMENT),
        "reset-ask": remembered("reset"),
        "prune": remembered("prune"),
        "prune-old": remembered("prune", "--older-than", "1d", still=late),
        "after": remembered("show"),
        "streams-after": remembered("show", "--streams"),
        "replay": remembered("dead-letters", "replay"),
        "replay-number": remembered("dead-letters", "replay", "1", "2"),
        "reset": remembered("reset", "--yes"),
        "gone": remembered("show"),
    }
    yield Case("state/tail", steps, rules=(_INODE,), waits=True)
    yield Case(
        "state/scan", {"scan": scanned(samples), "schema": schema, **looks()}, rules=(_INODE,)
    )
    yield from refused(samples)
    yield held(samples)
    yield from broken(samples)


def scanned(samples: Corpus, *args: str) -> Action:
    """A step that scans with a state."""
    given = ("scan", "--now", _NOW, "-j", "1", "--state", "st", str(samples.path), *args)
    return call(*given, still=_MOMENT)


def refused(samples: Corpus) -> Iterator[Case]:
    """Let a receiver refuse alerts, and one that is not there let them wait."""
    scan = ("scan", "--now", _NOW, "-j", "1", "--state", "st", str(samples.path), "--sink")
    url = _SINKS["hec+http"] + "&name=splunk"
    rules = (_INODE, _PORT)
    steps = {
        "scan": to("hec+http", url, *scan, answer=400),
        **looks(),
        "by-sink": remembered("dead-letters", "show", "--sink", "splunk"),
        "no-sink": remembered("dead-letters", "show", "--sink", "other"),
        "replay": remembered("dead-letters", "replay", "1", "2"),
        "elsewhere": remembered("dead-letters", "replay", "--sink", "splunk", "--to", "alerts"),
        "after": remembered("show", "-f", "table"),
        "again": scanned(samples, "--sink", "file:out?name=alerts", "--resume"),
        "end": remembered("show"),
    }
    yield Case("state/refused", steps, rules=rules, waits=True)
    away = f"syslog+tcp://{_CLOSED}?name=siem"
    waiting = {
        "scan": scanned(samples, "--sink", away, "--sink", "file:out", "--sink-deadline", "1"),
        **looks(),
        "reset-ask": remembered("reset"),
    }
    yield Case("state/waiting", waiting, rules=(_INODE,), waits=True)


def held(samples: Corpus) -> Case:
    """Use a state while a `tail` holds it."""

    def action(side: Side, folder: Path) -> Outcome:
        logs = copied(samples, folder, _TAILED)
        tries = {
            "show": remembered("show"),
            "table": remembered("show", "-f", "table"),
            "prune": remembered("prune"),
            "reset": remembered("reset", "--yes"),
            "replay": remembered("dead-letters", "replay"),
            "tail": call("tail", "--once", "logs", "--state", "st", still=_MOMENT),
            "scan": scanned(samples),
        }
        with Tail(side, folder, str(logs), "--sink", "file:alerts.jsonl") as tail:
            tail.ready()
            tail.quiet(7)
            said = {name: attempt(side, folder) for name, attempt in tries.items()}
            return tail.end({name: b"%d\n%b\n%b" % done for name, done in said.items()})

    return one("state/held", action, _INODE, _PORT, waits=True)


def broken(samples: Corpus) -> Iterator[Case]:
    """Begin with a state that is damaged, newer, or another program's."""

    def other(_: Side, folder: Path) -> Outcome:
        make_store(folder, "CREATE TABLE a (b)")
        return Outcome(0, b"", b"")

    def newer(_: Side, folder: Path) -> Outcome:
        make_store(folder, "PRAGMA user_version = 99; PRAGMA application_id = 0x6A77746C")
        return Outcome(0, b"", b"")

    def noise(_: Side, folder: Path) -> Outcome:
        (folder / "st").mkdir()
        (folder / "st" / "state.db").write_bytes(hashlib.shake_128(_KEY).digest(8192))
        return Outcome(0, b"", b"")

    for name, begin in {"other": other, "newer": newer, "noise": noise}.items():
        steps = {
            "begin": begin,
            "show": remembered("show"),
            "prune": remembered("prune"),
            "scan": scanned(samples),
            "tail": call("tail", "--once", str(samples.path), "--state", "st", still=_MOMENT),
            "check": call("check-config", str(samples.path), "--state", "st", still=_MOMENT),
            "reset": remembered("reset", "--yes"),
        }
        # The samples were written at any time and are read side by side.
        yield Case(
            f"state/{name}",
            {**steps, "tail": unordered(steps["tail"])},
            rules=(_ASIDE,),
            waits=True,
        )


def unordered(action: Action) -> Action:
    """The same with its lines sorted."""

    def sorted_(side: Side, folder: Path) -> Outcome:
        keep_key(folder / "st")
        done = action(side, folder)
        return done._replace(out=b"".join(sorted(done.out.splitlines(keepends=True))))

    return sorted_


def make_store(folder: Path, script: str) -> None:
    """Make a file where the state is expected."""
    (folder / "st").mkdir()
    with contextlib.closing(sqlite3.connect(folder / "st" / "state.db")) as store:
        store.executescript(script)


# -- all of it -------------------------------------------------------------------------------------


def cases(docs: Path, given: Iterable[Path]) -> list[Case]:
    """Every case, in order."""
    known = corpora(docs, given)
    samples = known[0]
    found = [*helps(), *patterns(docs), *usage(), *inspects(), *pipes(samples), *tables(samples)]
    found += [
        *configs(docs, samples),
        *tests(),
        *sinks(samples),
        *states(samples),
        *follows(samples),
        *turns(samples),
    ]
    for corpus in known:
        found += [*scans(corpus), *formats(corpus), *redacts(corpus), *library(corpus)]
        if corpus.small:
            found += [*options(corpus, docs)]
        if corpus.path.is_dir():
            found += [*tails(corpus)]
    return found


def wanted(name: str, only: Sequence[str], ignored: Sequence[str]) -> bool:
    """Whether a case of this name is to be run."""
    if only and not any(fnmatch.fnmatchcase(name, glob) for glob in only):
        return False
    return name.partition("/")[0] not in ignored


def save(directory: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Write outcomes, each into a directory of its own with three files."""
    for name, outcome in outcomes.items():
        place = directory / name
        place.mkdir(parents=True, exist_ok=True)
        for part, data in zip(
            _NAMES, (str(outcome.status).encode(), outcome.out, outcome.err), strict=True
        ):
            (place / f"={part}").write_bytes(data)


def load(directory: Path) -> dict[str, Outcome]:
    """Read what `save` wrote."""
    found = {}
    for path in sorted(directory.rglob("=status")):
        status, out, err = (path.with_name(f"={part}").read_bytes() for part in _NAMES)
        found[str(path.parent.relative_to(directory))] = Outcome(int(status), out, err)
    return found


def shown(data: bytes, at: int) -> str:
    """The part of a line around a place, so that nothing in it moves the cursor."""
    part = data[max(0, at - 60) : at + 140].decode("utf-8", "replace")
    return ("..." if at > 60 else "") + "".join(
        sign if sign.isprintable() else "?" for sign in part
    )


def same(one: bytes, other: bytes) -> int:
    """How many bytes two lines have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def first_difference(name: str, before: bytes, after: bytes) -> Iterator[str]:
    """The first line in which two outputs differ."""
    old, new = before.split(b"\n"), after.split(b"\n")
    for number in range(max(len(old), len(new))):
        left = old[number] if number < len(old) else None
        right = new[number] if number < len(new) else None
        if left != right:
            at = same(left or b"", right or b"")
            yield f"  {name} line {number + 1}, column {at + 1}"
            yield f"  - {'(no line)' if left is None else shown(left, at)}"
            yield f"  + {'(no line)' if right is None else shown(right, at)}"
            return


def differences(before: Outcome | None, after: Outcome | None) -> Iterator[str]:
    """What differs between two outcomes, in lines for people."""
    if before is None or after is None:
        yield f"  ran only {'after' if before is None else 'before'}"
        return
    if before.status != after.status:
        yield f"  status {before.status}, then {after.status}"
    yield from first_difference("stdout", before.out, after.out)
    yield from first_difference("stderr", before.err, after.err)


def compare(before: Mapping[str, Outcome], after: Mapping[str, Outcome]) -> int:
    """Say what differs. Gives the exit status."""
    every = list(dict.fromkeys([*before, *after]))
    differ = 0
    for name in every:
        found = list(differences(before.get(name), after.get(name)))
        if found:
            differ += 1
            print(f"{name} differs", *found, sep="\n")
    print(f"{len(every)} commands, {differ} differ")
    return 1 if differ else 0


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, which go together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    docs = Path(__file__).resolve().parents[2] / "docs"
    work = Path(tempfile.gettempdir()) / "jwtleak-equality"
    parser.add_argument("programs", nargs="+", type=Path, metavar="PROGRAM")
    parser.add_argument(
        "--corpus", nargs="+", type=Path, default=[], help="files and directories to search"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write what each side gave to DIR")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="write what BEFORE gave, for --against"
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="compare with what was saved")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="GROUP", help="for example help"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="names of cases"
    )
    parser.add_argument(
        "--docs", type=Path, default=docs, help="documentation with samples and deploy/"
    )
    parser.add_argument("--work", type=Path, default=work, help="where both sides work; is emptied")
    parser.add_argument(
        "--jobs", type=int, default=_JOBS, help="cases at once, beside those that wait"
    )
    given = parser.parse_args(argv)
    count = len(given.programs)
    if given.against is not None and (count != 1 or given.save is not None):
        parser.error("--against takes one program, and goes without --save")
    if given.against is None and count != 2 and not (given.save is not None and count == 1):
        parser.error("give two programs, or one with --save or --against")
    for path in [*given.programs, *given.corpus]:
        if not path.exists():
            parser.error(f"{path} is not there")
    return given


def absolute(path: Path) -> Path:
    """The path from the root; a link stays one, since a virtual environment is known by it."""
    return Path(os.path.abspath(path))


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Work in a directory that no other comparing uses."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"{root} is in use by another comparing: give --work") from None
        yield


def about(given: argparse.Namespace) -> tuple[list[Path], Path, Path]:
    """Corpora, documentation and directory of work: those given, or those of the saved run."""
    if given.against is None:
        return [absolute(one) for one in given.corpus], absolute(given.docs), absolute(given.work)
    told = json.loads((given.against / "about.json").read_text())
    return [Path(one) for one in told["corpus"]], Path(told["docs"]), Path(told["work"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run and compare; 1 where something differs."""
    given = parsed(argv)
    corpus, docs, root = about(given)
    sides: list[dict[str, Outcome]] = []
    every = [case for case in cases(docs, corpus) if wanted(case.name, given.only, given.ignore)]
    if given.against is not None:
        known = {case.name for case in every}
        kept = load(given.against)
        sides.append({name: kept[name] for name in kept if {name, name.rpartition("/")[0]} & known})
    with alone(root):
        for program in given.programs:
            began = time.monotonic()
            sides.append(run(absolute(program), root, every, given.jobs))
            print(f"{program}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    if given.save is not None:
        shutil.rmtree(given.save, ignore_errors=True)
        save(given.save, sides[0])
        told = {"corpus": [*map(str, corpus)], "docs": str(docs), "work": str(root)}
        (given.save / "about.json").write_text(json.dumps(told, indent=1) + "\n")
    if given.keep is not None:
        for name, outcomes in zip(("before", "after"), sides, strict=False):
            save(given.keep / name, outcomes)
    return compare(*sides) if len(sides) == 2 else 0


if __name__ == "__main__":
    socket.setdefaulttimeout(60)  # a program that hangs must not hang this one
    sys.exit(main())
