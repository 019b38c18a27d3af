"""Counts the package: how long, how commented, how plain; and how many modules a line passes.

    python docs/design/counts.py            the table of sizes, words and form
    python docs/design/counts.py --paths    also the modules on the way of a line and of an alert
                                            (--names: which)

Each figure is a fact of the tree and of one traced run, so that two states can be compared. A
comment counts where `#` begins a line inside a function or ends one of its lines. A module is on a
way when one of its functions, methods or comprehensions runs between the read of a line and the
alert about its token, or its commit to the outbox. A line with another token comes first, so that
everything is loaded by then.
"""

from __future__ import annotations

import ast
import base64
import io
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import tokenize
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

PACKAGE = Path(__file__).resolve().parents[2] / "jwtleak"
WIDTH = 100
# Words of the private language that the house gave up; none may come back.
FORBIDDEN = re.compile(r"\b(?:told|given)\b", re.IGNORECASE)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def comments_inside(text: str, tree: ast.Module) -> int:
    """Lines with a comment inside a function."""
    inside = {
        line
        for node in functions(tree)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(
        token.type == tokenize.COMMENT and token.start[0] in inside
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
    )


def lines_of_functions(tree: ast.Module) -> int:
    """Lines inside functions, each counted once."""
    return len(
        {
            line
            for node in functions(tree)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
    )


def spread(sizes: list[int]) -> str:
    """Median, ninth decile and largest."""
    deciles = statistics.quantiles(sizes, n=10, method="inclusive")
    return f"{round(statistics.median(sizes))} / {round(deciles[-1])} / {max(sizes)}"


def sizes() -> Iterator[tuple[str, str]]:
    """The rows of the table."""
    texts = {path: path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    lines = {path: text.splitlines() for path, text in texts.items()}
    every = [line for found in lines.values() for line in found]
    inside = sum(lines_of_functions(tree) for tree in trees.values())
    comments = sum(comments_inside(text, trees[path]) for path, text in texts.items())
    yield "files / lines", f"{len(texts)} / {len(every)}"
    yield "file p50 / p90 / longest", spread([len(found) for found in lines.values()])
    yield (
        "function p50 / p90 / longest",
        spread(
            [
                (node.end_lineno or node.lineno) - node.lineno + 1
                for tree in trees.values()
                for node in functions(tree)
            ]
        ),
    )
    yield "comments inside functions, % of their lines", f"{100 * comments / inside:.1f}"
    yield "comments inside functions, % of all lines", f"{100 * comments / len(every):.1f}"
    yield f"lines over {WIDTH} columns", str(sum(len(line) > WIDTH for line in every))
    yield "`told` and `given`", str(sum(len(FORBIDDEN.findall(text)) for text in texts.values()))
    names = [
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    yield "class names with two meanings", str(len(names) - len(set(names)))
    command = [sys.executable, "-m", "ruff", "format", "--check", "-q", str(PACKAGE)]
    clean = subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield "formatter", "clean" if clean else "would change files"


class Traced:
    """Collects the modules of the package whose code runs while it is on."""

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self.modules: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note the module of a function that is entered, unless it is being imported."""
        name = str(frame.f_globals.get("__name__", ""))
        runs = self.on and event == "call" and frame.f_code.co_name != "<module>"
        if runs and name.startswith("jwtleak"):
            self.modules.add(name)


def token(subject: bytes) -> bytes:
    """A token that nobody signed: its signature is of the right length."""
    segments = (b'{"alg":"HS256"}', b'{"sub":"%b","exp":1768482000}' % subject, b"k" * 32)
    parts = (base64.urlsafe_b64encode(segment).rstrip(b"=") for segment in segments)
    return b".".join(parts)


def line(subject: bytes) -> bytes:
    """A log line with a token."""
    return b"2026-01-15T12:00:00Z GET /cb?access_token=" + token(subject) + b" HTTP/1.1\n"


class Way:
    """The way of the second line of a log: begun by the read of it, ended by its alert.

    In `scan` the second line is a second log, and its alert ends as text on standard output. In
    `tail` it is appended once the first alert is delivered; it ends in the outbox, and from there a
    thread takes its alert to a sink, here a file.
    """

    def __init__(self, log: Path, alerts: Path, *, armed: bool) -> None:
        self.line = Traced(on=False)
        self.alert = Traced(on=False)
        self._log, self._alerts = log, alerts
        self._inode = log.stat().st_ino
        self._armed = armed
        self._stored = False
        for name in ("readv", "preadv", "read", "pread"):
            setattr(os, name, self._reading(getattr(os, name)))
        self._write = os.write
        for name in ("write", "writev"):
            setattr(os, name, self._writing(getattr(os, name)))

    def _reading(self, read: Callable[..., object]) -> Callable[..., object]:
        def wrapped(fd: int, *rest: object) -> object:
            if self._armed and os.fstat(fd).st_ino == self._inode:
                self._armed, self.line.on = False, True
            return read(fd, *rest)

        return wrapped

    def _writing(self, write: Callable[..., object]) -> Callable[..., object]:
        def wrapped(fd: int, *rest: object) -> object:
            if self._alerts.exists() and os.fstat(fd).st_ino == self._alerts.stat().st_ino:
                if self.alert.on:
                    self.alert.on = False
                    os.kill(os.getpid(), signal.SIGTERM)
                else:
                    with self._log.open("ab", buffering=0) as log:
                        self._armed = True
                        log.write(line(b"b"))
            return write(fd, *rest)

        return wrapped

    def arrived(self) -> None:
        """The alert is on standard output."""
        self.line.on = False

    def statement(self, sql: str) -> None:
        """SQLite runs `sql`: the commit that follows an alert's row ends the way of the line."""
        if self.line.on and "INTO outbox" in sql:
            self._stored = True
        elif self._stored and self.line.on and sql.startswith("COMMIT"):
            self.line.on, self.alert.on = False, True


class Stdout(io.RawIOBase):
    """Standard output that says when something is written."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: object) -> int:
        """Note the end of the way, and drop the bytes."""
        self._way.arrived()
        return len(memoryview(data))  # type: ignore[arg-type]


def trace(kind: str, directory: Path) -> None:
    """Run `scan` or `tail` in this process, and print the modules on the way of one line."""
    first, second, alerts = (directory / name for name in ("a.log", "b.log", "alerts.jsonl"))
    first.write_bytes(line(b"a"))
    second.write_bytes(line(b"b"))
    if kind == "scan":
        way = Way(second, alerts, armed=True)
        arguments = ["scan", "--jobs", "1", "--format", "json", str(first), str(second)]
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(Stdout(way), 1), write_through=True)
    else:
        way = Way(first, alerts, armed=False)
        arguments = ["tail", "--state", str(directory / "state"), str(first)]
        arguments += ["--sink", f"file:{alerts}"]
    connect = sqlite3.connect

    def connected(*more: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*more, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(way.statement)
        return connection

    sqlite3.connect = connected  # type: ignore[assignment]
    threading.setprofile(way.alert)
    sys.setprofile(way.line)
    sys.argv = ["jwtleak", *arguments]
    from jwtleak.cli.main import run

    with suppress(SystemExit):
        run()
    sys.setprofile(None)
    print("LINE", *sorted(way.line.modules), file=sys.stderr)
    print("ALERT", *sorted(way.alert.modules), file=sys.stderr)


def ways() -> Iterator[tuple[str, str]]:
    """The modules on the way of a line, for `scan` and `tail`, and of an alert to its sink."""
    for kind in ("scan", "tail"):
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, __file__, "--trace", kind, directory]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        found = {
            words[0]: words[1:] for line in done.stderr.splitlines() if (words := line.split())
        }
        wanted = {"LINE": f"modules on the way of a `{kind}` line"}
        if kind == "tail":
            wanted["ALERT"] = "modules from the outbox to a sink"
        for key, title in wanted.items():
            yield title, str(len(found[key]))
            for module in found[key] if "--names" in sys.argv else ():
                yield "", module


def main() -> None:
    """Print the table."""
    if "--trace" in sys.argv:
        trace(sys.argv[2], Path(sys.argv[3]))
        return
    for name, value in (*sizes(), *(ways() if "--paths" in sys.argv else ())):
        print(f"{name:45} {value}")


if __name__ == "__main__":
    main()
