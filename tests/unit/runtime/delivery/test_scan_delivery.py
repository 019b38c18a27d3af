"""The alerts of a scan on their way to sinks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sending import alert

from jwtleak.alerts.wire import WireAlert, to_wire
from jwtleak.errors import DeliveryError
from jwtleak.runtime.delivery.delivery import Delivery
from jwtleak.runtime.delivery.scan_delivery import ScanDelivery
from jwtleak.sinks.settings import from_url
from jwtleak.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own."""
    with Store.open(tmp_path / "state") as made:
        yield made


def records(count: int) -> list[WireAlert]:
    """Alerts as a scan gives them."""
    return [to_wire(alert(number)) for number in range(count)]


def lines(path: Path) -> list[bytes]:
    """What a file sink got."""
    return path.read_bytes().splitlines()


def test_every_alert_is_delivered(store: Store, tmp_path: Path) -> None:
    """In order, each once; the outbox is empty at the end."""
    dispatch = ScanDelivery(store, Delivery(store, [from_url(f"file:{tmp_path}/out")]), deadline=30)
    for record in records(1200):
        dispatch.add(record)
    assert dispatch.close() == []
    assert lines(tmp_path / "out") == [record.json() for record in records(1200)]
    assert store.spool_bytes() == 0
    assert dispatch.health()[0].sent == 1200


def test_what_cannot_be_delivered_is_named_and_kept(store: Store, tmp_path: Path) -> None:
    """A later run with the same state sends it."""
    settings = [from_url(f"file:{tmp_path}/none/out")]
    dispatch = ScanDelivery(store, Delivery(store, settings), deadline=0.2)
    for record in records(3):
        dispatch.add(record)
    left = dispatch.close()
    assert [(one.queued, one.reason) for one in left] == [
        (3, "cannot write: no such file or directory")
    ]
    (tmp_path / "none").mkdir()
    assert ScanDelivery(store, Delivery(store, settings), deadline=30).close() == []
    assert lines(tmp_path / "none/out") == [record.json() for record in records(3)]


def test_a_repeat_is_an_alert_of_its_own(store: Store, tmp_path: Path) -> None:
    """The same id with another event is not the same alert."""
    dispatch = ScanDelivery(store, Delivery(store, [from_url(f"file:{tmp_path}/out")]), deadline=30)
    for event in ("leak", "leak", "repeat"):
        dispatch.add(to_wire(alert(1, event=event)))
    dispatch.close()
    assert len(lines(tmp_path / "out")) == 2


def test_what_nobody_wants_is_not_kept(store: Store, tmp_path: Path) -> None:
    """It takes no room in the outbox."""
    dispatch = ScanDelivery(
        store,
        Delivery(store, [from_url(f"file:{tmp_path}/none/out?when=severity=='low'")]),
        deadline=0,
    )
    dispatch.add(records(1)[0])
    dispatch.flush()
    assert store.spool_bytes() == 0
    assert dispatch.close() == []


def test_a_full_outbox_holds_the_scan_until_nothing_moves(store: Store, tmp_path: Path) -> None:
    """It waits for the sinks; when they take nothing for the deadline, the scan ends with an error
    that says so.
    """
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    delivery = Delivery(store, [from_url(f"file:{tmp_path}/none/out")])
    dispatch = ScanDelivery(
        store, delivery, deadline=5, spool=100, clock=lambda: now[0], sleep=sleep
    )
    dispatch.add(records(1)[0])
    dispatch.flush()
    dispatch.add(records(2)[1])
    with pytest.raises(DeliveryError, match=r"the outbox is full and sink file:.* takes nothing"):
        dispatch.flush()
    assert 5 <= now[0] < 12
    with pytest.raises(DeliveryError):
        dispatch.close()
