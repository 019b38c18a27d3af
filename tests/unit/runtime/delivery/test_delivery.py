"""All sinks together, over a real store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sending import MemoryOutbox, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery.delivery import Delivery, check, own_files
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.store import Commit, OutboxEntry, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own."""
    with Store.open(tmp_path / "state") as made:
        yield made


def commit(store: Store, *numbers: int) -> None:
    """Alerts enter the outbox."""
    alerts = [alert(number) for number in numbers]
    entries = [
        OutboxEntry(
            id=one.id,
            fingerprint=one.token.sha256,
            severity=one.severity,
            event="leak",
            body=to_json(one),
        )
        for one in alerts
    ]
    store.commit(Commit(alerts=entries, at_ms=1))


def until(true: Callable[[], bool]) -> None:
    """Wait for another thread, at most ten seconds."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


def test_every_sink_gets_every_alert(store: Store, tmp_path: Path) -> None:
    """Two files, each with all alerts; the outbox is empty when `close` returns."""
    settings = [from_url(f"file:{tmp_path}/{name}") for name in "ab"]
    delivery = Delivery(store, settings)
    commit(store, 1, 2)
    delivery.start()
    commit(store, 3)
    delivery.poke()
    assert delivery.close(10) == []
    assert (
        (tmp_path / "a").read_bytes()
        == (tmp_path / "b").read_bytes()
        == b"".join(to_json(alert(n)) + b"\n" for n in (1, 2, 3))
    )
    assert store.spool_bytes() == 0
    assert [one.sent for one in delivery.health()] == [3, 3]


def test_one_sinks_trouble_is_its_own(store: Store, tmp_path: Path) -> None:
    """While one cannot write the other is on time; the rest stays and goes out after a restart."""
    settings = [from_url(f"file:{tmp_path}/gone/a"), from_url(f"file:{tmp_path}/b")]
    delivery = Delivery(store, settings)
    delivery.start()
    commit(store, 1)
    delivery.poke()
    until(lambda: (tmp_path / "b").exists() and (tmp_path / "b").read_bytes() != b"")
    left = delivery.close(0.2)
    assert [one.name for one in left] == [f"file:{tmp_path}/gone/a"]
    assert left[0].reason == "cannot write: no such file or directory"
    (tmp_path / "gone").mkdir()
    again = Delivery(store, settings)
    again.start()
    assert again.close(10) == []
    assert (tmp_path / "gone/a").read_bytes() == to_json(alert(1)) + b"\n"
    assert (tmp_path / "b").read_bytes() == to_json(alert(1)) + b"\n"


def test_a_sink_that_hangs_does_not_hold_up_the_end(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`close` ends within its deadline and tells that the sink still has entries."""
    import threading

    free = threading.Event()
    monkeypatch.setattr("jwtleak.sinks.file.FileSink.send", lambda *_: free.wait(30))
    delivery = Delivery(store, [from_url(f"file:{tmp_path}/a")])
    commit(store, 1)
    delivery.start()
    threads = list(delivery._threads)
    began = time.monotonic()
    assert [one.name for one in delivery.close(0.1)] == [f"file:{tmp_path}/a"]
    assert time.monotonic() - began < 5
    free.set()
    for thread in threads:
        thread.join(10)


def test_rotation_reaches_the_sinks(store: Store, tmp_path: Path) -> None:
    """After `reopen` the next alert goes to a file that is opened again."""
    delivery = Delivery(store, [from_url(f"file:{tmp_path}/a")])
    delivery.start()
    commit(store, 1)
    delivery.poke()
    until(lambda: delivery.health()[0].sent == 1)
    (tmp_path / "a").rename(tmp_path / "a.1")
    delivery.reopen()
    commit(store, 2)
    assert delivery.close(10) == []
    assert (tmp_path / "a").read_bytes() == to_json(alert(2)) + b"\n"


def test_dropped_alerts_are_in_the_figures() -> None:
    """Whoever drops the oldest tells the delivery, which tells it in `health`."""
    delivery = Delivery(MemoryOutbox(), [from_url("stdout")])
    delivery.dropped({"stdout": 3})
    delivery.dropped({"stdout": 2})
    assert [one.dropped for one in delivery.health()] == [5]


def test_bounds_of_single_sinks() -> None:
    """A queue that runs over loses its oldest, which is in the figures; one that is waited for is
    named.
    """
    outbox = MemoryOutbox()
    delivery = Delivery(
        outbox,
        [
            from_url("stdout?name=a&queue=65536&when_full=drop-oldest"),
            from_url("stdout?name=b&queue=100000"),
        ],
    )
    for sink in "ab":
        outbox.queues[sink].put(b"%6d" % number * 1000 for number in range(16))
    assert delivery.full() is None
    assert [one.dropped for one in delivery.health()] == [6, 0]
    outbox.queues["b"].put([b"x" * 4000])
    assert delivery.full() == "b"


def test_settings_are_checked_before_anything_starts() -> None:
    """Two sinks of one name, an unknown scheme and a setting of another sink are refused."""
    with pytest.raises(UsageError, match="two sinks are named stdout"):
        Delivery(MemoryOutbox(), [from_url("stdout"), from_url("stdout")])
    with pytest.raises(UsageError, match="there is no sink 'ftp'"):
        check([SinkSettings(url="ftp://host/x")], 1 << 20)
    with pytest.raises(UsageError, match="a stdout sink has no setting facility"):
        check([SinkSettings(url="stdout", facility=3)], 1 << 20)
    with pytest.raises(UsageError, match="must be less than the spool"):
        check([from_url("stdout?queue=1048576&when_full=drop-oldest")], 1 << 20)
    check([from_url("stdout?queue=1048576")], 1 << 20)


def test_files_that_sinks_write_are_named() -> None:
    """`tail` must never follow them."""
    assert own_files([from_url("stdout"), from_url("file:/var/log/x")]) == [Path("/var/log/x")]


def test_the_caller_says_at_which_time_events_stand(store: Store, tmp_path: Path) -> None:
    """A daemon at that on the log line, a scan at that of detection; what a sink's settings say
    comes first.
    """
    settings = [
        from_url(f"file:{tmp_path}/{name}?format=ecs{more}")
        for name, more in (("a", ""), ("b", "&timestamp=detected"))
    ]
    delivery = Delivery(store, settings, timestamp="event")
    commit(store, 1)
    delivery.start()
    assert delivery.close(10) == []
    times = [json.loads((tmp_path / name).read_bytes())["@timestamp"] for name in "ab"]
    assert times == [alert(1).logged_at, alert(1).detected_at]


def test_unchecked_certificates_are_warned_of(store: Store) -> None:
    """At each start and each SIGHUP."""
    said: list[str] = []
    delivery = Delivery(
        store, [from_url("otlp+https://127.0.0.1:1?verify=false&name=lax")], say=said.append
    )
    delivery.start()
    delivery.reopen()
    delivery.close(5)
    assert (
        said
        == ["sink lax: certificates are not checked (verify = false): alerts may go to anybody"] * 2
    )


def test_what_was_not_started_can_be_closed(store: Store, tmp_path: Path) -> None:
    """Where something else failed before."""
    assert Delivery(store, [from_url(f"file:{tmp_path}/a")]).close(5) == []
