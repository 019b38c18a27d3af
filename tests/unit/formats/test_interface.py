"""What holds for every format: complete, pure, clean, whole at every size."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from sample_alerts import (
    EVENTS,
    HOSTILE,
    alerts,
    fields,
    full,
    hostile,
    kept_back,
    least,
    pattern_hit,
)

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.formats.interface import (
    DOCUMENTS,
    NAMES,
    Document,
    Format,
    FormatOptions,
    by_name,
    document,
)

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def spellings(value: object) -> set[str]:
    """How a value may be written: as it is, in JSON inside a string, a time also in Unix
    milliseconds.
    """
    if isinstance(value, bool):
        return {str(value).lower()}
    text = str(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", text):
        moment = datetime.datetime.fromisoformat(text)
        return {text, str(round(moment.timestamp() * 1000)), text.removesuffix("Z")[:19]}
    if text.startswith("CWE-"):
        return {text, text.removeprefix("CWE-")}
    return {
        text,
        text.capitalize(),
        json.dumps(text)[1:-1],
        text.replace("=", "\\="),
        text.replace("|", "\\|"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_home(name):
    """Every value of an alert stands in the output of every format."""
    shown = by_name(name).encode(full()).decode().replace("\\=", "=").replace('""', '"')
    shown += (
        by_name(name).encode(pattern_hit()).decode() + by_name(name).encode(kept_back()).decode()
    )
    values = fields(kept_back()) | {"pattern": ["acme-key"]}
    assert {path.partition(".")[0] for path in values} == set(Alert.__struct_fields__)
    missing = {
        path
        for path, found in values.items()
        for one in found
        if not any(text in shown for text in spellings(one))
    }
    assert (
        missing - {"severity", "event"} == set()
    )  # those are translated; each format's own tests say how


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_can_be_written(name, event):
    """Leaks, repeats, heartbeats and tests are written by every format, with all fields set and
    with the fewest.
    """
    for alert in (full(event=event), least(event=event), pattern_hit(), kept_back()):
        data = by_name(name).encode(alert)
        assert data
        assert b"\n" not in data or name in DOCUMENTS


@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_are_cleaned(name):
    """No control, bidirectional or invisible character and no lone surrogate gets through; nothing
    fails; long is cut.
    """
    for case, alert in hostile():
        text = by_name(name).encode(alert).decode("utf-8").removesuffix("\r\n")
        decoded = json.loads(text) if text.startswith("{") else text
        assert not UNSAFE.search(text), case
        assert not UNSAFE.search(json.dumps(decoded, ensure_ascii=False)), case
        assert "k" * 257 not in text


@pytest.mark.parametrize("name", NAMES)
@given(alert=alerts())
@settings(max_examples=60, deadline=None)
def test_any_alert_is_written_the_same_way_twice(name, alert):
    """A format is a pure function: any alert, twice, gives the same bytes."""
    one = by_name(name)
    again = by_name(name)
    assert one.encode(alert) == again.encode(alert)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DOCUMENTS])
def test_a_size_is_kept_to(name):
    """Over its size an event loses optional fields and says so, is never cut, and keeps what
    identifies it.
    """
    alert = replace(full(), truncated=False)
    whole = by_name(name).encode(alert)
    smallest = by_name(name, FormatOptions(max_bytes=1)).encode(alert)
    assert len(smallest) < len(whole) * 0.75
    before = len(whole) + 1
    for limit in range(len(whole), len(smallest) - 1, -40):
        data = by_name(name, FormatOptions(max_bytes=limit)).encode(alert)
        assert len(data) <= limit
        assert len(data) <= before
        before = len(data)
        for kept in (alert.id, alert.token.sha256):
            assert kept.encode() in data
        if len(data) < len(whole):
            assert b"runcated" in data
        if name in ("json", "ecs", "ocsf", "gelf"):
            json.loads(data)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("json", "csv", "sarif", "gitlab")]
)
def test_both_times_are_kept(name):
    """Whichever time an event stands at, the other one is in it too."""
    for timestamp in ("event", "detected"):
        shown = by_name(name, FormatOptions(timestamp=timestamp)).encode(full()).decode()
        for time in (full().detected_at, full().logged_at):
            assert any(text in shown for text in spellings(time)), (timestamp, time)


@pytest.mark.parametrize("name", ["json", "ecs", "ocsf", "gelf"])
def test_ascii_is_the_same_json(name):
    """In ASCII the JSON is the same, whatever the characters."""
    for case, alert in hostile():
        plain = by_name(name).encode(alert)
        data = by_name(name, FormatOptions(ascii=True)).encode(alert)
        assert data.isascii(), case
        assert json.loads(data) == json.loads(plain)
    assert any(not text.isascii() for text in HOSTILE.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_protocols_hold(name):
    """Each format has its name and media type; those of documents have a beginning and an end."""
    found = by_name(name)
    assert isinstance(found, Format)
    assert (found.name, "/" in found.media_type) == (name, True)
    assert isinstance(found, Document) == (name in DOCUMENTS)
    if name in DOCUMENTS:
        assert document(name).name == name


def test_an_unknown_name_is_refused():
    """The error names the formats."""
    with pytest.raises(UsageError, match="there is no format xml: choose one of json, ecs"):
        by_name("xml")


def test_formats_are_loaded_when_asked_for():
    """Importing the interface loads no format, and asking for one loads no other."""
    code = (
        "import sys; from jwtleak.formats.interface import by_name; by_name('ecs');"
        "print(*[m for m in sys.modules if m.startswith('jwtleak.formats.')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True
    ).stdout.decode()
    assert "formats.ecs" in loaded
    assert "formats.ocsf" not in loaded
    assert "formats.cef" not in loaded
