"""No token ever comes out: the corpus through every command, format and failure, and a checker that
is itself tested.

What is forbidden: any 8 bytes in a row of a segment behind the header (payload, signature, the
parts of a JWE, disclosures), as they stand in the compact form or in the encoded form that was
scanned.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import subprocess
import sys
import tarfile
import traceback
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from forbidden import CHANNELS, ENCODINGS, SUBJECT, Checker, claims_with, corpus, names
from minting import NOW, b64, jws, kinds, noise, unsecured

import jwtleak
from jwtleak.alerts.alert import to_json
from jwtleak.alerts.wire import to_wire
from jwtleak.cli.inspect import explain
from jwtleak.cli.table import Table
from jwtleak.runtime.scan.scan import Tally


def test_the_checker_finds_a_planted_slice():
    """The checker fails on 8 bytes of a payload, of a signature, of an encoded form; not on the
    header or on 7 bytes.
    """
    checker = Checker()
    token = checker.forbid(jws())
    header, payload, signature = token.split(".")
    for planted in (payload[20:28], signature[-8:], payload[:8]):
        with pytest.raises(AssertionError, match="1 slices leaked"):
            checker.check(b"some text " + planted.encode() + b" more")
    checker.check(f"{header} {payload[:7]} {signature[5:12]}".encode())
    encoded = checker.forbid_encoded(token, base64.b64encode(token.encode()))
    assert checker.found(encoded[100:108])
    checker.forbid_encoded(token, token.replace(".", "%2E").encode())
    assert checker.found(b"%2E" + signature[:5].encode())


def shown_in_process(data: bytes) -> bytes:
    """Everything that the library and the formats make of `data`."""
    findings = jwtleak.scan(data)
    alerts = [jwtleak.alert(finding, now=NOW, key=b"k" * 32) for finding in findings]
    text = io.StringIO()
    table = Table(text)
    for alert in alerts:
        table.alert(to_wire(alert))
    table.close(Tally(), 1.0)
    parts = [to_json(alert) for alert in alerts] + [
        "\n".join(explain(alert)).encode() for alert in alerts
    ]
    return b"\n".join(
        [*parts, text.getvalue().encode(), repr(findings).encode(), repr(alerts).encode()]
    )


def everything(cases: Iterable[tuple[str, bytes]], checker: Checker) -> list[str]:
    """The names of the cases that leak."""
    return [name for name, data in cases if checker.found(shown_in_process(data))]


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow, id="every case")])
def test_no_kind_encoding_channel_or_neighbour_leaks(step):
    """Alerts, tables, explanations and `repr` of the corpus hold no forbidden slice: of a sample in
    the fast tests, of every case in the slow ones.
    """
    checker = Checker()
    cases = list(corpus(checker))
    assert len(cases) > 2000
    assert everything(cases[::step], checker) == []


@pytest.mark.parametrize("name", names(jws()))
def test_a_piece_of_a_token_as_a_name_does_not_come_out(name):
    """A piece of a payload or signature that names a parameter, header, cookie or field is not
    shown.
    """
    checker = Checker()
    for token in kinds().values():
        checker.forbid(token)
        checker.check(shown_in_process(names(token)[name].encode()))


def test_no_personal_claim_comes_out():
    """Neither the subject nor any other personal claim is shown."""
    token = jws({"sub": SUBJECT, "email": SUBJECT, "name": SUBJECT, "phone_number": SUBJECT})
    assert SUBJECT.encode() not in shown_in_process(token.encode())


def test_redact_leaves_nothing():
    """What `redact` gives back holds no forbidden slice, for every kind and encoding in every
    channel.
    """
    checker = Checker()
    leaks = []
    for name, token in kinds().items():
        checker.forbid(token)
        for encoding, (encode, _) in ENCODINGS.items():
            data = checker.forbid_encoded(token, encode(token))
            leaks += [
                (name, encoding)
                for around in CHANNELS.values()
                if checker.found(jwtleak.redact(around(data)))
            ]
    assert leaks == []


@pytest.mark.parametrize("field", ["sub", "iss", "aud", "scope", "kid", "typ", "alg"])
def test_a_token_in_a_claim_or_header_does_not_come_out(field):
    """A token that stands in a claim or a header parameter of another is not shown."""
    checker = Checker()
    inner = checker.forbid(unsecured({"a": "bcdefghijklmnop"}, dot=False))
    if field in ("kid", "typ", "alg"):
        header = {"alg": "HS256", "typ": "JWT", field: inner}
        outer = f"{b64(header)}.{b64({'exp': NOW + 60})}.{b64(noise(32, field))}"
    else:
        outer = jws({field: claims_with(inner)[field], "exp": NOW + 60})
    checker.forbid(outer)
    checker.check(shown_in_process(f"GET /?t={outer} x\n".encode()))


# --- the real program


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the program runs."""
    (tmp_path / "logs").mkdir()
    return tmp_path


def program(place: Path, *args: str, stdin: bytes = b"", prefix: tuple[str, ...] = ()) -> bytes:
    """All that the program prints and writes: both streams, every file outside of `logs`."""
    keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    environment = {
        **keep,
        "XDG_STATE_HOME": str(place / "state"),
        "PYTHONFAULTHANDLER": "1",
        "COLUMNS": "100",
    }
    command = [sys.executable, "-X", "dev", *(prefix or ("-m", "jwtleak")), *args]
    done = subprocess.run(
        command, input=stdin, capture_output=True, cwd=place, env=environment, timeout=120
    )
    written = [
        path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and "logs" not in path.parts
    ]
    return b"\n".join([done.stdout, done.stderr, *written])


def fill(logs: Path, checker: Checker) -> bytes:
    """Files, archives, broken archives, and tokens in the names of all of them. Gives the corpus in
    one piece.
    """
    corpus_bytes = b"\n".join(data for _, data in corpus(checker))
    (logs / "corpus.log").write_bytes(corpus_bytes)
    small = corpus_bytes[:200_000]
    token = checker.forbid(unsecured({"name": "of a file"}, dot=False))
    (logs / f"{token}.log").write_bytes(small)
    (logs / f"{token}.gz").write_bytes(gzip.compress(small)[:-9000])
    with zipfile.ZipFile(logs / "a.zip", "w") as archive:
        archive.writestr(f"dir/{token}.txt", small)
        archive.writestr(f"{token}/broken.gz", gzip.compress(small)[:3000])
    with tarfile.open(logs / "a.tar", "w") as tar:
        info = tarfile.TarInfo(f"{token}.log")
        info.size = len(small)
        tar.addfile(info, io.BytesIO(small))
    (logs / "broken.zip").write_bytes((logs / "a.zip").read_bytes()[:-5000])
    (logs / "broken.tar").write_bytes((logs / "a.tar").read_bytes()[:-30000])
    (logs / f"dangling-{token}").symlink_to(f"{token}-missing")
    os.mkfifo(logs / f"fifo-{token}")
    return corpus_bytes


COMMANDS = [
    ("scan", "logs"),
    ("scan", "--every", "--min-confidence=low", "logs"),
    ("scan", "--format=table", "--min-confidence=low", "logs"),
    ("scan", "--output=out.json", "logs"),
    ("scan", "--format=table", "--output=out.txt", "logs"),
    ("scan", "--max-archive-bytes=1000", "--max-depth=0", "logs"),
    ("scan", "-"),
    ("inspect",),
    ("inspect", "--format=json"),
]


def test_the_filter_leaves_nothing(place):
    """The real filter, with one write for each line: no forbidden slice of any token in any
    encoding and channel.
    """
    checker = Checker()
    texts = []
    for token in kinds().values():
        checker.forbid(token)
        for encode, _ in ENCODINGS.values():
            data = checker.forbid_encoded(token, encode(token))
            texts += [around(data) + b"\n2026-01-15 next\n" for around in CHANNELS.values()]
    shown = program(place, "redact", "--check", stdin=b"".join(texts))
    assert shown.count(b"[JWT ") >= len(texts)
    checker.check(shown)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_or_writes_a_slice(place, command):
    """The whole corpus through each command: standard output, standard error, output files and the
    state directory.
    """
    checker = Checker()
    data = fill(place / "logs", checker)
    shown = program(place, f"{command[0]}", f"--now={NOW}", *command[1:], stdin=data)
    assert len(shown) > 1000
    assert b"Traceback (most recent" not in shown
    checker.check(shown)


def test_wrong_use_prints_no_slice(place):
    """A token in an argument, as a path, a value, a command or an option, is not repeated."""
    checker = Checker()
    token = checker.forbid(unsecured({"in": "an argument"}, dot=False))
    for args in (
        ("inspect", token),
        ("inspect", f"--file={token}"),
        ("redact", token),
        ("redact", f"--output=/nowhere/{token}", "-"),
        ("scan", token),
        ("scan", f"--{token}", "."),
        ("scan", f"--output=/nowhere/{token}", "logs"),
        ("scan", f"--now={token}", "logs"),
        ("scan", f"--max-token={token}", "logs"),
        ("scan", f"--status={token}", "logs"),
        ("scan", f"--patterns={token}", "logs"),
        ("scan", f"--include=[z-a]{token}", "logs"),
        (token,),
        ("patterns", "check", token),
    ):
        checker.check(program(place, *args))


# Each breaks one deep function with an exception that holds the token, then runs the program.
_FAILURES = {
    "the judge": "import jwtleak.core.compact as m; m.Matcher.at = fail",
    "the engine": "from jwtleak.core.engine import Engine as m; m._findings = fail",
    "the builder": "from jwtleak.alerts.builder import Builder as m; m.build = fail",
    "grouping": "from jwtleak.alerts.grouping import Grouping as m; m.add = fail; import jwtleak.alerts.grouping as n",  # noqa: E501
    "the output": "import jwtleak.cli.output as m; m.Lines.alert = fail",
    "the table": "from jwtleak.cli.table import Table as m; m.close = fail",
    "an exit": "from jwtleak.core.engine import Engine as m; m.close = fail",
}
_BREAK = """
import sys
secret = sys.argv.pop(1)
def fail(*args, **more):
    try:
        raise KeyError(secret, args)
    except KeyError:
        raise {error}(secret)
import jwtleak.runtime.scan.scan as scan
scan._POOL_FROM = 1
{setup}
from jwtleak.cli.main import run
run(sys.argv[1:])
"""


@pytest.mark.parametrize("failure", _FAILURES)
@pytest.mark.parametrize("error", ["ValueError", "RecursionError", "MemoryError", "OSError"])
def test_a_forced_exception_prints_no_slice(place, failure, error):
    """Whatever fails, and with whatever text: no traceback and no slice, with one process and with
    two.
    """
    checker = Checker()
    token = checker.forbid(jws())
    (place / "logs" / "a.log").write_text(f"GET /?t={token} x\n")
    code = _BREAK.format(setup=_FAILURES[failure], error=error)
    for more in (["--jobs=1"], ["--jobs=2"]):
        form = ["--format=table"] if failure == "the table" else []
        shown = program(place, token, "scan", *more, *form, "logs", prefix=("-c", code))
        assert b"Traceback" not in shown
        assert b"rror" in shown
        checker.check(shown)


def test_an_exception_of_the_library_shows_no_slice(monkeypatch):
    """A traceback of a caller, with the values of the frames' own objects, holds no slice."""
    checker = Checker()
    token = checker.forbid(jws())
    (finding,) = jwtleak.scan(token.encode())
    try:
        jwtleak.alert(finding, now="not a number", key=b"")  # type: ignore[arg-type]
    except Exception as broken:
        told = traceback.TracebackException.from_exception(broken, capture_locals=True)
        checker.check("".join(told.format()).encode().replace(repr(token).encode(), b""))
    else:
        pytest.fail("nothing was raised")
