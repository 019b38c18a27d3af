"""Code in pages: commands that are marked `<!-- run: STATUS -->` run, Python is typed and runs.

Commands run in a copy of docs/examples, with `jwtleak` on the path. The blocks of one page run one
after the other in the same directory, so a later one may use what an earlier one wrote.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_COMMANDS = re.compile(r"<!-- run: (\d+) -->\n```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_TESTED = (
    "tutorial",
    "incident-response",
    "pipe",
    "redact",
    "add-a-pattern",
    "state",
    "tail",
    "tune",
)


@pytest.fixture
def shell(root: Path, tmp_path: Path) -> dict[str, str]:
    """An environment in which `jwtleak` is this one, and whose home is empty."""
    program = tmp_path / "bin" / "jwtleak"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m jwtleak "$@"\n')
    program.chmod(0o755)
    python = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / ".state")}
    return {"PATH": path, **home, "PYTHONPATH": python, "LC_ALL": "C.UTF-8", "COLUMNS": "120"}


@pytest.mark.slow
def test_commands_run(page: Path, shell: dict[str, str], root: Path, tmp_path: Path) -> None:
    """Every marked command ends with the exit status that the page states."""
    blocks = _COMMANDS.findall(page.read_text(encoding="utf-8"))
    place = shutil.copytree(root / "docs/examples", tmp_path / "examples")
    for status, commands in blocks:
        if "jq " in commands and shutil.which("jq") is None:
            pytest.skip("jq is not installed")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=place,
            env=shell,
            capture_output=True,
            check=False,
        )
        assert done.returncode == int(status), (commands, done.stdout[-2000:], done.stderr[-2000:])


def test_pages_that_teach_have_commands_that_run(root: Path) -> None:
    """The tutorial and the how-to pages on commands hold marked blocks."""
    pages = {path.stem: path for path in (root / "docs").rglob("*.md")}
    for name in _TESTED:
        assert _COMMANDS.search(pages[name].read_text(encoding="utf-8")), name


def test_python_runs(page: Path, root: Path) -> None:
    """Every block of Python runs by itself from the top of the checkout."""
    for block in _PYTHON.findall(page.read_text(encoding="utf-8")):
        subprocess.run([sys.executable, "-c", block], cwd=root, check=True, capture_output=True)


@pytest.mark.slow
def test_python_is_typed(root: Path, tmp_path: Path) -> None:
    """mypy --strict accepts every block of Python in every page."""
    pytest.importorskip("mypy", reason="comes with the dev extra")
    for page in [root / "README.md", *(root / "docs").rglob("*.md")]:
        for number, block in enumerate(_PYTHON.findall(page.read_text(encoding="utf-8"))):
            (tmp_path / f"{page.stem.replace('-', '_')}_{number}.py").write_text(
                block, encoding="utf-8"
            )
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "MYPYPATH": str(root)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
