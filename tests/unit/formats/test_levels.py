"""The scale of severities."""

from __future__ import annotations

import pytest

from jwtleak.formats.levels import CONFIDENCES, LEVELS
from jwtleak.types import CONFIDENCES as ALL_CONFIDENCES
from jwtleak.types import SEVERITIES


def test_every_severity_and_confidence_has_its_place():
    """The tables hold the vocabulary, no more and no less."""
    assert tuple(LEVELS) == SEVERITIES
    assert tuple(CONFIDENCES) == ALL_CONFIDENCES


@pytest.mark.parametrize("scale", ["ecs", "ocsf", "cef", "otlp"])
def test_scales_fall(scale):
    """A lower severity never has a higher number; of syslog's, never a lower one."""
    numbers = [getattr(LEVELS[one], scale) for one in SEVERITIES]
    assert numbers == sorted(numbers, reverse=True)
    assert [LEVELS[one].syslog for one in SEVERITIES] == [2, 4, 5, 6, 6]


def test_the_numbers_that_elastic_compares():
    """Elastic's rule for external alerts knows these numbers alone."""
    assert [LEVELS[one].ecs for one in SEVERITIES] == [99, 73, 47, 21, 0]
