"""The table: what a person sees of the alerts."""

from __future__ import annotations

import io

import pytest
from minting import NOW, jws

import jwtleak
from jwtleak.alerts.alert import Alert
from jwtleak.alerts.wire import to_wire
from jwtleak.cli.table import Table, duration, size
from jwtleak.runtime.scan.scan import Tally


def alert_of(text: str, path: str = "logs/a.log") -> Alert:
    """The alert for the only token in `text`."""
    (finding,) = jwtleak.scan(text.encode())
    return jwtleak.alert(finding, now=NOW, key=b"k", path=path)


def shown(*alerts: Alert, tty: bool = False, encoding: str = "utf-8") -> str:
    """What the table of `alerts` looks like."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    if tty:
        file.isatty = lambda: True  # type: ignore[method-assign]
    table = Table(file)
    for one in alerts:
        table.alert(to_wire(one))
    table.close(Tally(), 0.5)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.fixture(autouse=True)
def _no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def test_one_row_for_each_token() -> None:
    """A token in two files is one row that says so; the token itself is not shown."""
    token = jws()
    out = shown(
        alert_of(f"GET /a?t={token} HTTP/1.1"), alert_of(f"GET /b?t={token} HTTP/1.1", "logs/b.log")
    )
    rows = [line for line in out.splitlines() if line.startswith(" critical")]
    assert len(rows) == 1
    assert "logs/a.log:1 and 1 more" in rows[0]
    assert token[:12] not in out


def test_a_row_stands_on_one_line_in_a_pipe() -> None:
    """Where no width is known it is wide enough for a path, the issuer and the channel on one
    line.
    """
    out = shown(alert_of(f"Cookie: session={jws()}", "docs/examples/logs/edge/haproxy.log.1.gz"))
    (row,) = [line for line in out.splitlines() if "cookie" in line]
    assert row.split()[:2] == ["high", "live"]
    assert "idp.test" in row
    assert "docs/examples/logs/edge/haproxy.log.1.gz:1" in row


def test_a_narrow_terminal_leaves_out_issuer_and_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns the issuer and the algorithm give way, and no line is longer."""
    monkeypatch.setenv("COLUMNS", "80")
    out = shown(
        alert_of(f"GET /a?access_token={jws()} HTTP/1.1", "/var/log/nginx/shop.example/access.log")
    )
    assert "issuer" not in out
    assert "HS256" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_worst_comes_first() -> None:
    """Rows are ordered by severity, not by arrival."""
    out = shown(alert_of(f"x {jws({'exp': 1})} y"), alert_of(f"GET /a?t={jws()} HTTP/1.1"))
    assert out.index("critical") < out.index("info")


def test_a_name_that_says_nothing_new_is_left_out() -> None:
    """`authorization_header` is not followed by `Authorization`."""
    assert "Authorization" not in shown(alert_of(f"Authorization: Bearer {jws()}"))


def test_plain_letters_where_the_terminal_has_no_others() -> None:
    """Into a file that is not UTF-8 the table is drawn in ASCII."""
    assert shown(alert_of(f"t={jws()} "), encoding="ascii").isascii()


def test_nothing_found_is_said() -> None:
    """Without alerts there is only the summary."""
    assert shown().strip().endswith("no leaks")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0s"),
        (59, "59s"),
        (3600, "1h"),
        (3_661, "1h 1m"),
        (-90_000, "-1d 1h"),
        (86400 * 400, "400d"),
    ],
)
def test_durations_show_two_units(value: int, told: str) -> None:
    """A duration is told in its two largest units."""
    assert duration(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0 B"), (999, "999 B"), (5000, "5.0 kB"), (3e15, "3000.0 TB")]
)
def test_sizes_use_powers_of_a_thousand(value: float, told: str) -> None:
    """A size is told in the largest unit that leaves a whole part."""
    assert size(value) == told
