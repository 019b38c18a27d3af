"""Fixtures of tests with real receivers; `real_receivers` says what they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from real_receivers import Sender, Started, thousand

from jwtleak.alerts.alert import Alert


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs real programs."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.receivers)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """start("program", ..., port=...)."""
    started = Started(tmp_path)
    yield started
    started.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that receivers and senders trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def alerts() -> list[Alert]:
    """A thousand alerts."""
    return thousand()


@pytest.fixture
def deliver(tmp_path: Path) -> Sender:
    """deliver(URL, alerts)."""
    return Sender(tmp_path)
