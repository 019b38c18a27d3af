"""A store in a directory of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwtleak.store import Store
from jwtleak.store.migrations import migrate


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A state directory that does not exist yet."""
    return tmp_path / "state"


@pytest.fixture
def store(directory: Path) -> Iterator[Store]:
    """A new store with the sinks `a` and `b`."""
    with Store.open(directory) as store:
        store.register(["a", "b"])
        yield store


@pytest.fixture(scope="session")
def memory() -> Iterator[sqlite3.Connection]:
    """The schema in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield connection
    connection.close()
