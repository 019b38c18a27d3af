"""The progress bar."""

from __future__ import annotations

import io

from rich.console import Console

from jwtleak.cli import progress
from jwtleak.runtime.scan.scan import Tally


def test_bar(monkeypatch):
    """It shows bytes and what was found so far, and leaves nothing behind."""
    file = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda **_: Console(file=file, force_terminal=True, width=120)
    )
    tally = Tally()
    bar = progress.make_bar(tally)
    bar.advance(1)  # before the start: nothing
    bar.start(4096)
    tally.alerts = 7
    bar.advance(2048)
    bar.stop()
    shown = file.getvalue()
    assert "7 found" in shown
    assert "2.0/4.0 KiB" in shown


def test_an_unknown_total(monkeypatch):
    """Without a total it still moves."""
    file = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda **_: Console(file=file, force_terminal=True, width=120)
    )
    bar = progress.make_bar(Tally())
    bar.start(None)
    bar.advance(2048)
    bar.stop()
    assert "0 found" in file.getvalue()
