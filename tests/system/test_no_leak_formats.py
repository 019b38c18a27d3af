"""No token ever comes out of a format: the corpus through each of them, in the process and through
the program.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
import pytest
from forbidden import Checker, corpus
from minting import NOW, jws
from test_no_leak import _BREAK, fill, place, program

import jwtleak
from jwtleak.formats.interface import DOCUMENTS, NAMES, Ending, FormatOptions, by_name, document

__all__ = ["place"]  # the fixture
ENDING = Ending("2026-01-15T12:00:00.000Z", "2026-01-15T12:00:05.000Z")


@lru_cache(maxsize=2)
def found(step):
    """The corpus with its checker, and an alert for all that is found in every `step`th case."""
    checker = Checker()
    cases = list(corpus(checker))
    assert len(cases) > 2000
    alerts = [
        jwtleak.alert(finding, now=NOW, key=b"k" * 32)
        for _, data in cases[::step]
        for finding in jwtleak.scan(data)
    ]
    assert len(alerts) > 2000 / step
    return checker, alerts


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow, id="every alert")])
@pytest.mark.parametrize("name", NAMES)
def test_no_format_shows_a_slice(name, step):
    """The alerts of the corpus in each format hold no forbidden slice, at any size: a sample in the
    fast tests, all of them in the slow ones.
    """
    checker, alerts = found(step)
    forms = [
        by_name(name),
        by_name(name, FormatOptions(max_bytes=900, ascii=True, timestamp="event")),
    ]
    written = (form.encode(alert) for alert in alerts for form in forms)
    assert not checker.found(b"\n".join(written))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_shows_a_slice(name):
    """Documents hold none either, in what stands around the alerts."""
    checker, alerts = found(11)
    form = document(name)
    assert not checker.found(
        b"".join([form.begin(), *(form.encode(one) for one in alerts[::5]), form.end(ENDING)])
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_would_be_found(name):
    """The same check finds a slice where an alert is made to hold one."""
    checker, alerts = found(11)
    slipped = msgspec.structs.replace(alerts[0], excerpt=jws().split(".")[1][:40])
    checker.forbid(jws())
    assert checker.found(by_name(name).encode(slipped))


@pytest.mark.parametrize(
    "name",
    [
        "sarif",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in NAMES
            if name not in ("json", "sarif")
        ),
    ],
)
def test_the_program_shows_no_slice(place, name):
    """Files, archives and broken archives, with tokens in their names, through `scan --format`."""
    checker = Checker()
    fill(place / "logs", checker)
    shown = program(
        place, "scan", f"--now={NOW}", f"--format={name}", "--min-confidence=low", "logs"
    )
    assert len(shown) > 1000
    checker.check(shown)


@pytest.mark.parametrize(
    ("name", "broken"), [("ecs", "from jwtleak.formats.ecs import Ecs as m; m.encode = fail"),
                         ("sarif", "from jwtleak.formats.sarif import Sarif as m; m.end = fail")],
)  # fmt: skip
def test_a_format_that_fails_shows_no_slice(place, name, broken):
    """A failure inside of a format says where, without a traceback and without a slice."""
    checker = Checker()
    token = checker.forbid(jws())
    (place / "logs" / "a.log").write_text(f"GET /?t={token} x\n")
    code = _BREAK.format(setup=broken, error="ValueError")
    shown = program(
        place, token, "scan", "--jobs=1", f"--format={name}", "logs", prefix=("-c", code)
    )
    assert b"Traceback" not in shown
    assert b"internal error: ValueError at jwtleak" in shown
    checker.check(shown)
