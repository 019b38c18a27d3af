"""What judges worth: nothing is loaded for options that were not given."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from minting import NOW
from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.patterns import load_tables
from jwtleak.runtime.assessment import AssessmentOptions, prepare

SETTING = AlertContext(NOW, "host", b"k" * 32)


def test_without_options() -> None:
    """The pattern files alone, by a function that can be sent to workers."""
    setting = prepare(SETTING, AssessmentOptions(), pytest.fail)
    assert setting == replace(SETTING, know=load_tables)
    assert pickle.loads(pickle.dumps(setting)) == setting


def test_with_options(tmp_path: Path) -> None:
    """A configuration brings its policy."""
    (tmp_path / "c.toml").write_text('[[allow]]\nissuer = "a"\nreason = "r"\n')
    policy = prepare(SETTING, AssessmentOptions(str(tmp_path / "c.toml")), pytest.fail).policy
    assert policy is not None
    assert policy.allow[0].reason == "r"


def test_the_start_loads_no_tables() -> None:
    """A scan that finds nothing loads neither the tables nor PyJWT, httpx or the modules that use
    them.
    """
    code = (
        "import sys; from jwtleak.cli.scan import command; from jwtleak.runtime.assessment import *;"
        "from jwtleak.alerts.builder import *; from jwtleak.types import StreamInfo;"
        "Builder(StreamInfo('stdin'), prepare(AlertContext(0, None, b''), AssessmentOptions(), print));"
        "print([name for name in ('jwt', 'httpx', 'cryptography', 'jwtleak.assess.issuers', 'jwtleak.assess.policy',"
        "'jwtleak.assess.assessor', 'jwtleak.runtime.issuer_keys', 'jwtleak.patterns.tables') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
