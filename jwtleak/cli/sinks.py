"""The sinks of a command line, and the delivery of a scan's alerts to them.

Promises: alerts that a sink did not accept are reported, change the exit status, and are kept where
a later run finds them.
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
    """The sinks of one scan. `add` each alert; `finish` returns the exit status."""

    def __init__(
        self,
        settings: Sequence[SinkSettings],
        store: Store | None,
        deadline: float,
        stack: ExitStack,
    ) -> None:
        check(settings, MAX_SPOOL)
        self._deadline = deadline
        # Without --state the alerts need a store all the same: a crash must not lose them.
        self._own = None if store is not None else Path(tempfile.mkdtemp(prefix="jwtleak-"))
        self._store = stack.enter_context(Store.open(self._own)) if self._own is not None else store
        assert self._store is not None
        delivery = Delivery(self._store, settings, say=voice.warning)
        self._dispatch = ScanDelivery(self._store, delivery, deadline=deadline)
        self.add = self._dispatch.add
        self.flush = self._dispatch.flush

    def finish(self, status: int) -> int:
        """Deliver the rest. The exit status becomes 3 where a sink did not accept an alert, except
        after an interrupt.
        """
        # The sinks' figures are reported after an error as well: they say which alerts are left.
        try:
            self._dispatch.close()
        except DeliveryError as error:
            voice.error(str(error))
        health = self._dispatch.health()
        for sink in health:
            self._report(sink)
        # Dead letters are kept too: they can be sent again once the receiver accepts them.
        kept = any(sink.queued or sink.dead for sink in health)
        unsent = kept or any(sink.dropped for sink in health)
        if self._own is not None and not kept:
            shutil.rmtree(self._own, ignore_errors=True)
        elif self._own is not None:
            voice.hint(
                f"what was not taken is kept in {self._own}: "
                f"a scan with --state {self._own} and the same sinks sends it"
            )
        # 130: whoever interrupted the scan knows that it is not complete.
        return status if not unsent or status == 130 else 3

    def _report(self, health: SinkHealth) -> None:
        if health.sent:
            voice.say(f"{health.sent} alerts sent to {health.name}")
        if health.queued:
            why = f": {health.reason}" if health.reason else ""
            voice.error(
                f"sink {health.name}: {health.queued} alerts were not delivered "
                f"in {self._deadline:g} s{why}"
            )
        if health.dead:
            voice.error(
                f"sink {health.name}: {health.dead} alerts were refused: "
                "see `jwtleak state dead-letters`"
            )
        if health.dropped:
            voice.error(
                f"sink {health.name}: {health.dropped} alerts were dropped: its queue was full"
            )
