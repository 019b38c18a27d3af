"""A plan for tests, and files to scan."""

from __future__ import annotations

import pytest
from minting import NOW

from jwtleak.alerts.builder import AlertContext
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.patterns import load_channels
from jwtleak.runtime.scan.worker import Plan
from jwtleak.sources.interface import ArchiveLimits
from jwtleak.types import MAX_TOKEN


@pytest.fixture
def plan_of_scan() -> Plan:
    """Everything as by default, judged at the moment at which tokens are minted."""
    return Plan(
        alert_context=AlertContext(NOW, "host", b"k" * 32),
        limits=ArchiveLimits(),
        channels=Channels(load_channels()),
        patterns=UserPatterns(()),
        every=False,
        max_token=MAX_TOKEN,
    )
