"""Sinks of a command line: which ones, and the alerts of a scan on their way to them.

Promises: what a sink did not take is told, counted in the exit status, and kept where a later run
finds it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from jwtleak.cli import voice
from jwtleak.errors import DeliveryError
from jwtleak.runtime.delivery.delivery import Delivery, check
from jwtleak.runtime.delivery.scan_delivery import MAX_SPOOL, ScanDelivery
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.store import Store

if TYPE_CHECKING:
    from jwtleak.runtime.config import ConfigFile


def chosen(urls: Sequence[str], config: ConfigFile | None, where: str) -> list[SinkSettings]:
    """The sinks of the URLs; without any, those of the configuration file, which `where` names in
    errors. Raises UsageError.
    """
    if urls or config is None:
        return [from_url(url) for url in urls]
    return config.sinks(where)


class Sending:
    """The sinks of one scan. `add` each alert; `finish` gives the exit status."""

    def __init__(
        self,
        settings: Sequence[SinkSettings],
        store: Store | None,
        deadline: float,
        stack: ExitStack,
    ) -> None:
        check(settings, MAX_SPOOL)
        self._deadline = deadline
        self._own = None if store is not None else Path(tempfile.mkdtemp(prefix="jwtleak-"))
        self._store = stack.enter_context(Store.open(self._own)) if self._own is not None else store
        assert self._store is not None
        delivery = Delivery(self._store, settings, say=voice.warning)
        self._dispatch = ScanDelivery(self._store, delivery, deadline=deadline)
        self.add = self._dispatch.add
        self.flush = self._dispatch.flush

    def finish(self, status: int) -> int:
        """Deliver the rest. The exit status is 3 where something was not taken; an interrupt stays
        one.
        """
        try:
            self._dispatch.close()
        except DeliveryError as error:
            voice.error(str(error))
        health = self._dispatch.health()
        for one in health:
            self._tell(one)
        kept = any(one.queued or one.dead for one in health)
        unsent = kept or any(one.dropped for one in health)
        if self._own is not None and not kept:
            shutil.rmtree(self._own, ignore_errors=True)
        elif self._own is not None:
            voice.hint(
                f"what was not taken is kept in {self._own}: a scan with --state {self._own} and the same sinks sends it"
            )
        return status if not unsent or status == 130 else 3

    def _tell(self, health: SinkHealth) -> None:
        """Say how a sink fared."""
        if health.sent:
            voice.say(f"{health.sent} alerts sent to {health.name}")
        if health.queued:
            why = f": {health.reason}" if health.reason else ""
            voice.error(
                f"sink {health.name}: {health.queued} alerts were not delivered in {self._deadline:g} s{why}"
            )
        if health.dead:
            voice.error(
                f"sink {health.name}: {health.dead} alerts were refused: see `jwtleak state dead-letters`"
            )
        if health.dropped:
            voice.error(
                f"sink {health.name}: {health.dropped} alerts were dropped: its queue was full"
            )
