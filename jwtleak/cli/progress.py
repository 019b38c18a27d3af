"""The progress bar: bytes, rate, time left, findings so far. Drawn on standard error by `rich`."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from jwtleak.runtime.scan.scan import Tally


class _Bar:
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._progress = Progress(
            TextColumn("scanning"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[leaks]} found"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def start(self, total: int | None) -> None:
        self._task = self._progress.add_task("scan", total=total, leaks=0)
        self._progress.start()

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, advance=count, leaks=self._tally.alerts)

    def stop(self) -> None:
        self._progress.stop()


def make_bar(tally: Tally) -> _Bar:
    """A bar that shows the alerts counted in `tally`."""
    return _Bar(tally)
