"""Where the validators from npm are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def packages() -> Path:
    """The directory that tests/npm/install.sh filled; named by JWTLEAK_NPM."""
    named = os.environ.get("JWTLEAK_NPM")
    if named and (Path(named) / "node_modules").is_dir() and shutil.which("node"):
        return Path(named).resolve()
    reason = "needs node, and JWTLEAK_NPM naming a directory filled by tests/npm/install.sh"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
