"""`python -m jwtleak`."""

from __future__ import annotations

import subprocess
import sys

from jwtleak.version import __version__


def test_module_runs():
    """The module runs the command line."""
    done = subprocess.run(
        [sys.executable, "-m", "jwtleak", "--version"], capture_output=True, timeout=60, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"jwtleak {__version__}\n")


def test_importing_it_runs_nothing():
    """Importing the module only defines."""
    done = subprocess.run(
        [sys.executable, "-c", "import jwtleak.__main__"], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
