"""The command line as a whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from minting import jws

from jwtleak.cli import main
from jwtleak.errors import PatternError, UsageError, WorkerError
from jwtleak.version import __version__


def test_version(run):
    """`--version` and `-V` print name and version."""
    for option in ("--version", "-V"):
        assert run(option) == (0, f"jwtleak {__version__}\n".encode(), "")


def test_help(run):
    """`--help` names every command; without a command the same goes to standard error, with status
    2.
    """
    result = run("--help")
    assert (result.status, result.err) == (0, "")
    for name in ("scan", "inspect", "patterns", "state", "schema"):
        assert f"  {name} " in result.out.decode()
    bare = run()
    assert (bare.status, bare.out, bare.err) == (2, b"", result.out.decode())


@pytest.mark.parametrize("name", ["scan", "inspect", "patterns", "state", "schema"])
def test_help_of_each_command(run, name):
    """Each command explains itself."""
    result = run(name, "--help")
    assert result.status == 0
    assert result.out.startswith(f"Usage: jwtleak {name}".encode())


def test_an_unknown_command(run):
    """An unknown command is wrong usage."""
    result = run("scna")
    assert result.status == 2
    assert result.err.startswith("jwtleak: error: no such command 'scna'")


@pytest.mark.parametrize(
    ("broken", "status"),
    [(UsageError("why"), 2), (PatternError("why"), 2), (WorkerError("why"), 3)],
)
def test_our_errors(monkeypatch, capsys, broken, status):
    """Each kind of error has its exit status, and its text is shown."""

    def fail(*_: object, **__: object) -> None:
        raise broken

    monkeypatch.setattr(main.main, "invoke", fail)
    with pytest.raises(SystemExit) as ended:
        main.run(["schema"])
    assert ended.value.code == status
    assert capsys.readouterr().err == "jwtleak: error: why\n"


def test_an_interrupt(monkeypatch, capsys):
    """An interrupt anywhere ends quietly with 130."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.main, "invoke", interrupt)
    with pytest.raises(SystemExit) as ended:
        main.run(["schema"])
    assert (ended.value.code, capsys.readouterr().err) == (130, "")


def test_a_closed_pipe(environment):
    """Any command ends quietly when its reader goes away."""
    command = f"'{sys.executable}' -m jwtleak schema | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_version_loads_little(environment):
    """`--version` loads neither the engine nor the table."""
    code = "import sys; from jwtleak.cli.main import _status; _status(['--version']); print(*sys.modules)"  # noqa: E501
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=60
    ).stdout.split()
    for heavy in (
        b"rich",
        b"stringzilla",
        b"msgspec",
        b"regex",
        b"multiprocessing",
        b"jwtleak.core.engine",
    ):
        assert heavy not in loaded


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("args", [["schema"], ["scan"], ["scan", "--output=/dev/full"]])
def test_no_space_left(environment, args):
    """Output that cannot be written is an error of its own, with status 3."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jwtleak", *args],
            input=f"{jws()}\n".encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=60,
        )
    assert done.stderr.decode() == "jwtleak: error: cannot write: no space left on device\n"
    assert done.returncode == 3
