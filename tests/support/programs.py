"""Programs that some tests need. Where one is missing, its tests skip on a workstation and fail in
CI, where everything must run.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """`what` is not there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


def program(name: str) -> str:
    """The path of the program `name`."""
    return shutil.which(
        name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    ) or missing(name)
