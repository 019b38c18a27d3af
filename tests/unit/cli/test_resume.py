"""`scan --state --resume` as it is used: broken off by Ctrl-C and by kill -9, gone on with,
refused.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from minting import NOW, jws

from jwtleak.store import Store


def line(name):
    """A line with a token of its own."""
    return f"GET /?token={jws({'iss': str(name)})} x\n".encode()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Twelve compressed logs that take a few hundredths of a second each and are too large to share
    a task, and a directory of small ones.
    """
    place = tmp_path_factory.mktemp("archive")
    noise = random.Random(1).randbytes(4 << 20)
    for number in range(12):
        first, second, third = (line(f"{number}.{part}") for part in "abc")
        data = b"".join([first, bytes(40 << 20), second, noise, bytes(10 << 20), third])
        (place / f"{number:02}.gz").write_bytes(gzip.compress(data, 1))
    (place / "small").mkdir()
    for number in range(300):
        (place / "small" / f"{number}.log").write_bytes(line(f"s{number}"))
    return place


@pytest.fixture
def start(environment, archive, tmp_path):
    """Starts a scan of the archive that keeps its state and appends to `out`."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*args):
        command = [
            sys.executable,
            "-m",
            "jwtleak",
            "scan",
            f"--now={NOW}",
            "--max-ratio=9999",
            "--every",
            *args,
        ]
        command += [f"--state={tmp_path / 'st'}", f"--output={tmp_path / 'out'}", "."]
        started.append(
            subprocess.Popen(
                command,
                cwd=archive,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ids(tmp_path):
    """How often each alert stands in the output; a line that is no JSON fails."""
    return Counter(json.loads(text)["id"] for text in (tmp_path / "out").read_bytes().splitlines())


def written(tmp_path):
    """Bytes of output so far."""
    return (tmp_path / "out").stat().st_size if (tmp_path / "out").exists() else 0


@pytest.fixture(scope="module")
def whole(archive, tmp_path_factory):
    """The ids that one scan without a state gives."""
    command = [sys.executable, "-m", "jwtleak", "scan", "--max-ratio=9999", "--every", "."]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    done = subprocess.run(command, cwd=archive, env=environment, capture_output=True, check=False)
    found = {json.loads(text)["id"] for text in done.stdout.splitlines()}
    assert len(found) == 336
    return found


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_interrupt(start, whole, tmp_path, jobs):
    """Ctrl-C, again and again: every alert is given, none twice; the hint names the option."""
    for number in range(3):
        before = written(tmp_path) * bool(number)
        process = start(f"--jobs={jobs}", *["--resume"] * bool(number))
        while process.poll() is None and written(tmp_path) <= before:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode in (130, 1, 0), err
        if process.returncode == 130:
            assert b"jwtleak: hint: go on with --resume\n" in err
    assert len(ids(tmp_path)) < len(whole)
    process = start("--resume")
    process.communicate(timeout=60)
    found = ids(tmp_path)
    assert set(found) == whole
    assert max(found.values()) == 1


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_kill(start, whole, tmp_path, kills):
    """kill -9 at random moments: every alert is given; finished files stay finished; few are given
    twice.
    """
    chance = random.Random(kills)
    finished = 0
    for number in range(kills):
        process = start(f"--jobs={1 + number % 2}", "--resume")
        time.sleep(chance.uniform(0.2, 1.0))
        process.kill()
        process.communicate()
        if (tmp_path / "st" / "state.db").exists():
            with Store.open(tmp_path / "st", corrupt="fail") as store:
                before, finished = finished, store.summary().scanned_files
            assert finished >= before
    process = start("--resume")
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 1), err
    found = ids(tmp_path)
    assert set(found) == whole
    # Those of the files in hand at each kill: at most two tasks, of which one may be all of the
    # small files.
    assert sum(found.values()) - len(whole) <= kills * 303
    process = start("--resume")
    assert process.communicate(timeout=60)[1] == b"jwtleak: 312 files are finished\n"
    assert ids(tmp_path) == found


def test_a_second_scan_is_refused_before_it_empties_the_output(scan, work, tmp_path):
    """A state that is in use stops the second run at once: the first one's FILE stays whole."""
    (work / "a.log").write_bytes(line("a"))
    (tmp_path / "out").write_text("precious\n")
    with Store.open(tmp_path / "st"):
        result = scan("--state", str(tmp_path / "st"), "--output", str(tmp_path / "out"), "a.log")
    assert (result.status, "is in use by process" in result.err) == (2, True)
    assert (tmp_path / "out").read_text() == "precious\n"


def test_other_options_read_everything(scan, work, tmp_path):
    """What decides which alerts come is part of the mark; what does not is not."""
    (work / "a.log").write_bytes(line("a"))
    (work / "p").mkdir()
    state = ("--state", str(tmp_path / "st"), "--resume")
    assert scan(*state, ".").err == "jwtleak: nothing is finished: everything is read\n"
    for same in (
        ["."],
        ["-j1", "."],
        ["--fail-on=never", "."],
        [str(work)],
        [f"--output={tmp_path / 'o'}", "."],
    ):
        assert scan(*state, *same).err == "jwtleak: 1 files are finished\n"
    for other in (
        ["--every", "."],
        ["--exclude=*.gz", "."],
        ["--min-severity=low", "."],
        ["a.log"],
    ):
        assert scan(*state, *other).err == "jwtleak: nothing is finished: everything is read\n"
    pattern = '[[pattern]]\nid = "x-key"\ntitle = "X"\nseverity = "low"\nconfidence = "high"\nregex = "xkey[0-9]+"\nkeywords = ["xkey"]\n'  # noqa: E501
    (work / "p" / "x.toml").write_text(
        pattern + 'examples = ["xkey1"]\nnegative_examples = ["ykey"]\n'
    )
    result = scan(*state, "--patterns=p", ".")
    assert result.err.endswith("everything is read\n"), result.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--resume", "."], "--resume needs --state DIR"),
        (["--state=st", "-"], "standard input cannot be gone on with: --state is for files"),
        (
            ["--state=st", "--format=table", "."],
            "--state needs --format json: other formats cannot be gone on with",
        ),
    ],
)
def test_what_cannot_be(scan, work, args, said):
    """Wrong combinations are refused before anything is made."""
    result = scan(*args)
    assert (result.status, result.err.splitlines()[0]) == (2, f"jwtleak: error: {said}")
    assert list(work.iterdir()) == []


def test_state_and_output_inside_of_what_is_scanned(scan, work):
    """Neither is scanned nor counted, and the next run has nothing to do."""
    (work / "a.log").write_bytes(line("a"))
    for resumed in ([], ["--resume"], ["--resume"]):
        scan("--state=st", "--output=out.jsonl", *resumed, ".")
    assert len((work / "out.jsonl").read_bytes().splitlines()) == 1
    with Store.open(work / "st") as store:
        assert store.summary().scanned_files == 1


def test_a_damaged_state(scan, work, tmp_path):
    """It is set aside, which is said, and everything is read."""
    (work / "a.log").write_bytes(line("a"))
    scan(f"--state={tmp_path / 'st'}", ".")
    (tmp_path / "st" / "state.db").write_bytes(b"x" * 5000)
    result = scan(f"--state={tmp_path / 'st'}", "--resume", ".")
    assert len(result.alerts) == 1
    assert "warning: the state was damaged and is begun anew; the old one is " in result.err


def test_sqlite_is_not_loaded_without_a_state(environment, work):
    """A scan without a state does not pay for it."""
    (work / "a.log").write_bytes(line("a"))
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted(m for m in sys.modules if 'sqlite' in m or 'jwtleak.store' in m), file=sys.stderr))\n"  # noqa: E501
        "from jwtleak.cli.main import run\nrun(['scan', '.'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "[]\n")


def test_a_pipe_as_output(environment, work, tmp_path):
    """Standard output takes the alerts too, a reader that goes away leaves its file unmarked."""
    for number in range(4):
        (work / f"{number}.log").write_bytes(
            b"".join(line(f"{number}.{one}") for one in range(400))
        )
    command = f"{sys.executable} -m jwtleak scan -j1 --state={tmp_path / 'st'} . | head -n 1"
    subprocess.run(
        ["bash", "-c", command], cwd=work, env=environment, capture_output=True, check=True
    )
    command = f"{sys.executable} -m jwtleak scan -j1 --state={tmp_path / 'st'} --resume ."
    done = subprocess.run(
        command.split(), cwd=work, env=environment, capture_output=True, check=False
    )
    assert done.stdout.count(b"\n") >= 1200
    assert os.path.exists(tmp_path / "st" / "state.db")
