"""A rig that is closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tailing import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A tail that is stepped."""
    one = Rig(tmp_path / "state")
    yield one
    one.close()
