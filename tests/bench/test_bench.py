"""The pure parts of the benchmark: its data and its table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from bench import data, measure, rows, run

from jwtleak import scan


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Data depends on seed and size alone."""
    assert data.digest(data.dense(1, 50_000)) == data.digest(data.dense(1, 50_000))
    assert data.digest(data.dense(1, 50_000)) != data.digest(data.dense(2, 50_000))


def test_a_dense_log_has_a_token_in_every_third_line() -> None:
    """The engine finds a distinct token in each third line."""
    log = b"".join(data.dense(1, 20_000))
    found = scan(log)
    assert [one.line for one in found] == list(range(3, log.count(b"\n") + 1, 3))
    assert len({one.sha256 for one in found}) == len(found)


def test_sessions_repeat_their_tokens(tmp_path: Path) -> None:
    """Each third line has a token, each token comes up to forty times, and distinct ones are
    counted.
    """
    log = b"".join(data.repeats(1, 600_000))
    found = scan(log)
    times = Counter(one.sha256 for one in found)
    assert [one.line for one in found] == list(range(3, log.count(b"\n") + 1, 3))
    assert 150 < len(times) < len(found) / 2
    assert max(times.values()) <= 40
    made = data.Maker(tmp_path, smoke=True).repeats()
    assert made.tokens == len({one.sha256 for one in scan(made.path.read_bytes())})


def test_a_sparse_log_has_a_token_every_ten_thousand_lines() -> None:
    """The last line of ten thousand has the token."""
    part = next(data.sparse(1, 1))
    assert part.count(b"\n") == 10_000
    assert [one.line for one in scan(part)] == [10_000]


def test_data_is_made_once(tmp_path: Path) -> None:
    """What is there with its marker is used again; what lost bytes is made anew."""
    maker = data.Maker(tmp_path, smoke=True)
    first = maker.many()
    one = first.path / "000" / "app-00.log"
    one.write_bytes(b"x" * one.stat().st_size)
    assert maker.many() == first
    assert one.read_bytes().startswith(b"xx")
    one.write_bytes(b"")
    assert maker.many() == first
    assert one.stat().st_size > 20_000


def test_the_table() -> None:
    """A row is met, not met, or without its peer."""
    text = run.table(
        [
            rows.ratio("a", 2.5, 2, "n"),
            rows.below("b", 200, 150, "ms"),
            rows.absent("c", ">= 4 x", "rg"),
        ]
    )
    assert text.splitlines()[2:] == [
        "| a | >= 2 x | 2.50 x | yes | n |",
        "| b | < 150 ms | 200 ms | **no** |  |",
        "| c | >= 4 x | - | - | rg is not on PATH |",
    ]


def test_the_report_goes_between_the_markers() -> None:
    """What stands around the markers stays."""
    text = f"before\n{run.BEGIN}\nold\n{run.END}\nafter\n"
    assert run.put_between(text, "new\n") == f"before\n{run.BEGIN}\n\nnew\n\n{run.END}\nafter\n"
    with pytest.raises(ValueError, match="markers"):
        run.put_between("no markers", "new")


def test_sides_are_interleaved() -> None:
    """Each side runs once before any runs again; the best time and the highest peak count."""
    order: list[str] = []

    def side(name: str, *seconds: float) -> object:
        left = list(seconds)

        def once() -> measure.Run:
            order.append(name)
            return measure.Run(left.pop(), 0.5, len(left), 0, "")

        return once

    best = measure.interleaved({"a": side("a", 3.0, 1.0), "b": side("b", 2.0, 5.0)}, 2)  # type: ignore[dict-item]
    assert order == ["a", "b", "a", "b"]
    assert [best["a"].seconds, best["b"].seconds, best["a"].peak] == [1.0, 2.0, 1]
