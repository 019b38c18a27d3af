"""The numbers, and how Prometheus reads them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from minting import jws
from prometheus_client.parser import text_string_to_metric_families

from jwtleak.runtime.service import metrics as m
from jwtleak.runtime.service.metrics import Exposition, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a scraper sees: (name, values of the labels) to number."""
    families = text_string_to_metric_families(Exposition(metrics).text().decode())
    return {
        (one.name, tuple(one.labels.values())): one.value
        for family in families
        for one in family.samples
    }


def test_counting() -> None:
    """Counters add up by label; gauges stand where they were put; what never happened is 0."""
    metrics = Metrics()
    metrics.add(m.ALERTS, 2, "high")
    metrics.add(m.ALERTS, 1, "high")
    metrics.put(m.LAG_BYTES, 9)
    metrics.put(m.LAG_BYTES, 4)
    assert metrics.value(m.ALERTS, "high") == 3
    assert metrics.value(m.ALERTS, "low") == 0
    assert metrics.value(m.LAG_BYTES) == 4


def test_a_counter_that_is_kept_elsewhere_never_goes_down() -> None:
    """A total that is handed over twice is not added twice, and a smaller one changes nothing."""
    metrics = Metrics()
    for value in (3, 5, 5, 2):
        metrics.total(m.FILES_ROTATED, value)
    assert metrics.value(m.FILES_ROTATED) == 5


def test_labels_that_are_gone() -> None:
    """Renewing a gauge forgets the series that are not named any more."""
    metrics = Metrics()
    metrics.renew(m.WATCH_MODE, {("/a", "events"): 1, ("/b", "polling"): 1})
    metrics.renew(m.WATCH_MODE, {("/b", "events"): 1})
    assert [series for metric, series in metrics.all() if metric is m.WATCH_MODE] == [
        [(("/b", "events"), 1.0)]
    ]


def test_states() -> None:
    """Of the states of the store exactly the current one is 1."""
    metrics = Metrics()
    metrics.state(m.STORE_STATE, m.STORE_STATES, "full")
    assert [metrics.value(m.STORE_STATE, one) for one in m.STORE_STATES] == [0, 1, 0]


def test_the_number_of_series_is_bounded() -> None:
    """Directories beyond the bound are summed up as one; what was counted is not lost."""
    metrics = Metrics(max_series=3)
    for number in range(10):
        metrics.add(m.ERRORS, 1, f"kind{number}")
    metrics.renew(m.WATCH_MODE, {(f"/{number}", "polling"): 1 for number in range(10)})
    for metric, series in metrics.all():
        if metric in (m.ERRORS, m.WATCH_MODE):
            assert len(series) == 4
            assert sum(value for _, value in series) == 10


def test_wrong_labels_are_a_mistake() -> None:
    """A value without the labels that its metric has is refused."""
    with pytest.raises(ValueError, match="sink"):
        Metrics().add(m.SINK_SENT, 1)


def test_labels_hold_no_token_and_no_control() -> None:
    """A directory whose name holds a token, line ends or quotes comes out clean and readable."""
    metrics = Metrics()
    metrics.put(m.WATCH_MODE, 1, f'/a\n"{jws()}', "polling")
    text = Exposition(metrics).text().decode()
    assert jws()[30:60] not in text
    ((_, labels),) = [key for key in samples(metrics) if key[0] == "jwtleak_watch_mode"]
    assert labels[0].startswith('/a\ufffd"[JWT ')


def test_what_a_scraper_sees() -> None:
    """Every metric without labels is there from the start, beside the numbers of the process."""
    metrics = Metrics()
    metrics.add(m.BYTES_READ, 7)
    metrics.add(m.SINK_SENT, 2, "stdout")
    seen = samples(metrics)
    assert seen["jwtleak_bytes_read_total", ()] == 7
    assert seen["jwtleak_sink_sent_total", ("stdout",)] == 2
    assert {name for name, _ in seen} >= {one.name for one in m.DECLARED if not one.labels}
    assert seen["process_resident_memory_bytes", ()] > 0


def test_names_follow_the_convention() -> None:
    """Names are unique, of one prefix and alphabet; exactly the counters end in `_total`; every one
    has its help.
    """
    names = [one.name for one in m.DECLARED]
    assert len(set(names)) == len(names)
    for one in m.DECLARED:
        assert re.fullmatch(r"jwtleak_[a-z]+(_[a-z]+)*", one.name)
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert one.help
        assert not one.help.endswith(".")


def test_the_library_is_loaded_only_for_the_exposition() -> None:
    """Counting does not load prometheus-client."""
    code = (
        "import sys; from jwtleak.runtime.service import metrics as m; "
        "m.Metrics().add(m.BYTES_READ, 1); "
        "assert 'prometheus_client' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
