"""What tests of sinks share: an authority for certificates, and a credential."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import Authority

TOKEN = "s3cr3t-0123456789-TOKEN"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that receivers and senders trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file that holds TOKEN."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path
