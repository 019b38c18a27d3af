"""The rows of the table: what is compared, the target, and how the figure is told.

Each row makes its data, measures both sides in turn and checks that what was measured found what
there was to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench import measure
from bench.data import MB, Data, Maker
from bench.measure import Best, Run, interleaved, kingfisher, ripgrep, run, scan, warm

MAX_PEAK = 100 * MB


class Row(NamedTuple):
    """A line of the table. `met` is None where a peer is missing."""

    name: str
    target: str
    figure: str
    met: bool | None
    note: str = ""


class Wrong(Exception):  # noqa: N818 - says what is wrong
    """A command that was measured did not do its work."""


def ratio(name: str, figure: float, target: float, note: str = "") -> Row:
    """A row that asks for at least `target` times."""
    return Row(name, f">= {target:g} x", f"{figure:.2f} x", figure >= target, note)


def share(name: str, figure: float, target: float, note: str = "") -> Row:
    """A row that asks for at least `target` percent."""
    return Row(name, f">= {target:g} %", f"{figure:.0f} %", figure >= target, note)


def below(name: str, figure: float, target: float, unit: str, note: str = "") -> Row:
    """A row that asks for less than `target`."""
    return Row(name, f"< {target:g} {unit}", f"{figure:.0f} {unit}", figure < target, note)


def absent(name: str, target: str, peer: str) -> Row:
    """A row whose peer is not installed."""
    return Row(name, target, "-", None, f"{peer} is not on PATH")


def rate(size: int, seconds: float) -> str:
    """`1,234 MB/s`."""
    return f"{size / MB / seconds:,.0f} MB/s"


class Bench:
    """What rows share: the data, the rounds, the peers, and the peak memory of every jwtleak run so
    far.
    """

    def __init__(self, folder: Path, *, smoke: bool, rounds: int) -> None:
        self.maker = Maker(folder, smoke=smoke)
        self.rounds = rounds
        self.missing = measure.missing()
        self.peaks: dict[str, int] = {}
        self._scratch = folder / "alerts.jsonl"

    def has(self, peer: str) -> bool:
        """Whether `peer` can be measured."""
        return peer not in self.missing

    def count(self, data: Data, jobs: int | None) -> None:
        """Raise unless `jwtleak scan` alerts on each token of `data`."""
        command = scan(data.path, jobs)
        command[command.index("--output") + 1] = str(self._scratch)
        status = run(command).status
        with self._scratch.open(
            "rb"
        ) as lines:  # read whole, they would raise the floor of every peak that follows
            alerts = sum(1 for _ in lines)
        self._scratch.unlink()
        if status != 1 or alerts != data.tokens:
            raise Wrong(
                f"{data.path.name}, jobs {jobs}: {alerts} alerts of {data.tokens} tokens, exit status {status}"  # noqa: E501
            )

    def compare(
        self, data: Data, jobs: dict[str, int | None], **peers: list[str]
    ) -> dict[str, Best]:
        """The best of jwtleak with each of `jobs` and of the peers that are there, on `data`."""
        warm(data.path)
        for number in jobs.values():
            self.count(data, number)
        sides: dict[str, Callable[[], Run]] = {
            name: _timed(scan(data.path, number)) for name, number in jobs.items()
        }
        sides |= {name: _timed(command) for name, command in peers.items() if self.has(command[0])}
        best = interleaved(sides, self.rounds)
        for name in jobs:
            self.peaks[f"{data.path.name}, {name}"] = best[name].peak
        return best


def _timed(command: list[str]) -> Callable[[], Run]:
    return lambda: run(command)


def against(
    name: str, best: dict[str, Best], side: str, peer: str, target: float, size: int
) -> Row:
    """How many times faster `side` is than `peer`."""
    if peer not in best:
        return absent(name, f">= {target:g} x", peer)
    ours, theirs = best[side], best[peer]
    note = (
        f"{rate(size, ours.seconds)} : {rate(size, theirs.seconds)}; processor {ours.cpu:.2f} s : {theirs.cpu:.2f} s; "  # noqa: E501
        f"memory of a process {ours.peak / MB:,.0f} MB : {theirs.peak / MB:,.0f} MB"
    )
    return ratio(name, theirs.seconds / ours.seconds, target, note)


def sparse_loop(bench: Bench) -> Iterator[Row]:
    """The engine against reading alone, in one process."""
    data = bench.maker.sparse()
    warm(data.path)
    seconds = measure.loops("plain", data.path, bench.rounds)
    note = f"{rate(data.size, seconds['detect'])} : {rate(data.size, seconds['read'])}"
    yield share(
        "sparse: engine : bare `readinto`", 100 * seconds["read"] / seconds["detect"], 60, note
    )


def sparse_command(bench: Bench) -> Iterator[Row]:
    """The whole command against Kingfisher and ripgrep."""
    data = bench.maker.sparse()
    peers = {"kingfisher": kingfisher(data.path), "rg": ripgrep(data.path)}
    best = bench.compare(data, {"1 job": 1, "all jobs": None}, **peers)
    for side in ("1 job", "all jobs"):
        yield against(f"sparse: scan, {side} : Kingfisher", best, side, "kingfisher", 2, data.size)
        yield against(f"sparse: scan, {side} : ripgrep", best, side, "rg", 1, data.size)


def dense(bench: Bench) -> Iterator[Row]:
    """A distinct token in every third line."""
    data = bench.maker.dense()
    best = bench.compare(data, {"1 job": 1, "all jobs": None}, kingfisher=kingfisher(data.path))
    tokens = data.tokens / best["1 job"].seconds
    note = f"{data.tokens:,} tokens in {best['1 job'].seconds:.2f} s, start of the program included; processor {best['1 job'].cpu:.2f} s"  # noqa: E501
    yield Row(
        "dense: tokens per second, 1 job", ">= 100,000", f"{tokens:,.0f}", tokens >= 100_000, note
    )
    for side in ("1 job", "all jobs"):
        yield against(f"dense: scan, {side} : Kingfisher", best, side, "kingfisher", 6, data.size)


def repeats(bench: Bench) -> Iterator[Row]:
    """A token in every third line, that of one of two hundred sessions."""
    data = bench.maker.repeats()
    best = bench.compare(data, {"1 job": 1, "all jobs": None}, kingfisher=kingfisher(data.path))
    for side in ("1 job", "all jobs"):
        yield against(f"repeats: scan, {side} : Kingfisher", best, side, "kingfisher", 6, data.size)


def gzip(bench: Bench) -> Iterator[Row]:
    """A compressed log against decompression alone and `rg -z`."""
    data = bench.maker.gzip()
    warm(data.path)
    bare = measure.loops("gzip", data.path, bench.rounds)
    peers = {"rg": ripgrep(data.path, "-z")}
    if bench.has("zcat"):
        peers["zcat"] = ["sh", "-c", 'exec zcat "$0" >/dev/null', str(data.path)]
    best = bench.compare(data, {"1 job": 1}, **peers)
    ours = best["1 job"].seconds
    note = f"{rate(data.size, ours)} : {rate(data.size, bare['read'])}"
    yield share("gzip: scan, 1 job : `isal.igzip` alone", 100 * bare["read"] / ours, 60, note)
    yield against("gzip: scan, 1 job : `rg -z`", best, "1 job", "rg", 4, data.size)
    yield against("gzip: scan, 1 job : `zcat` alone", best, "1 job", "zcat", 1, data.size)


def many(bench: Bench) -> Iterator[Row]:
    """Ten thousand small files."""
    data = bench.maker.many()
    best = bench.compare(data, {"all jobs": None}, kingfisher=kingfisher(data.path))
    yield against(
        "many files: scan, all jobs : Kingfisher", best, "all jobs", "kingfisher", 2, data.size
    )


def jobs(bench: Bench) -> Iterator[Row]:
    """Two processes against one."""
    data = bench.maker.big()
    best = bench.compare(data, {"1 job": 1, "2 jobs": 2})
    one, two = best["1 job"], best["2 jobs"]
    note = f"{rate(data.size, two.seconds)} : {rate(data.size, one.seconds)}; processor {two.cpu:.2f} s : {one.cpu:.2f} s"  # noqa: E501
    yield ratio("1 GiB: 2 jobs : 1 job", one.seconds / two.seconds, 1.7, note)


def version(bench: Bench) -> Iterator[Row]:
    """The time that every call pays."""
    best = interleaved({"version": _timed(measure.jwtleak("--version"))}, 2 * bench.rounds)[
        "version"
    ]
    yield below(
        "`jwtleak --version`",
        best.seconds * 1000,
        150,
        "ms",
        f"best of {2 * bench.rounds}; processor {best.cpu * 1000:.0f} ms",
    )


def memory(bench: Bench) -> Iterator[Row]:
    """The largest process of all runs of the rows before."""
    if bench.peaks:
        where = max(bench.peaks, key=lambda name: bench.peaks[name])
        yield below(
            "peak memory of a process",
            bench.peaks[where] / MB,
            MAX_PEAK / MB,
            "MB",
            f"highest: {where}",
        )


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "sparse-loop": sparse_loop,
    "sparse": sparse_command,
    "dense": dense,
    "repeats": repeats,
    "gzip": gzip,
    "many": many,
    "jobs": jobs,
    "version": version,
    "memory": memory,
}
