"""Followers that are closed when their test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from followed import Driver


@pytest.fixture
def drive() -> Iterator[Callable[..., Driver]]:
    """A follower of some paths: `drive(path, ..., settings...)`."""
    drivers: list[Driver] = []

    def make(*paths: Path, **more: Any) -> Driver:
        drivers.append(Driver(*paths, **more))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()
