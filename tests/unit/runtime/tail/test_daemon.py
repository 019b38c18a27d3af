"""The daemon in this process; signals and reload are tested with real processes
(tests/system/tail/test_operations.py).
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tailing import leak, name

from jwtleak.errors import UsageError
from jwtleak.runtime.tail.config import TailConfig, compose
from jwtleak.runtime.tail.daemon import Daemon


def settings(root: Path, **flags: object) -> TailConfig:
    """Follow `logs`, alerts into a file beside it."""
    (root / "logs").mkdir(exist_ok=True)
    flags = {"paths": [str(root / "logs")], "state": str(root / "state"), **flags}
    return compose(None, flags, (f"file:{root / 'alerts.json'}",))


def found(root: Path) -> list[str]:
    """The fingerprints that were delivered."""
    return [
        json.loads(line)["token"]["sha256"]
        for line in (root / "alerts.json").read_bytes().splitlines()
    ]


def test_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catching up gives 1 with leaks and 0 without, and leaves signals as they were."""
    before = signal.getsignal(signal.SIGTERM)
    daemon = Daemon(lambda: settings(tmp_path))
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    assert daemon.run(once=True) == 1
    assert Daemon(lambda: settings(tmp_path)).run(once=True) == 0
    assert found(tmp_path) == [name(1)]
    assert signal.getsignal(signal.SIGTERM) is before
    assert "error" not in capsys.readouterr().err


def test_a_signal_before_it_is_ready(tmp_path: Path) -> None:
    """One that comes while the first look goes on ends it in order."""
    daemon = Daemon(lambda: settings(tmp_path))
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    daemon._end()
    assert daemon.run() == 0
    assert found(tmp_path) == [name(1)]


def test_a_configuration_that_cannot_work(tmp_path: Path) -> None:
    """Nothing begins, and no state is made."""
    with pytest.raises(UsageError):
        Daemon(lambda: settings(tmp_path, metrics="nowhere"))
    assert not (tmp_path / "state").exists()


def test_a_damaged_state_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is set aside and everything is read again."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").write_bytes(b"no database" * 500)
    daemon = Daemon(lambda: settings(tmp_path))
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    assert daemon.run(once=True) == 1
    assert "everything is read again" in capsys.readouterr().err
