"""Coverage-guided fuzzing of the engine with atheris (`pip install -e '.[fuzz,test]'`).

    python tests/fuzz/fuzz_engine.py DIR [--keep-going] [libFuzzer options, such as -max_total_time=600]

DIR is where the corpus and the inputs that break a promise are written; it is made, with seeds,
where it is not there. With --keep-going the shortest input for each broken promise is kept there
and the fuzzer goes on. An input is text, then bytes that choose where it is cut and whether it
stands behind a buffer full of filler.
"""  # noqa: E501

from __future__ import annotations

import random
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS), str(_TESTS / "support")]

from fuzz.seeds import dictionary, encoded_tokens, write_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CUTS = 8
# One input in sixteen stands behind filler: it costs a hundred times the time of a short one.
BEHIND_FILLER = 16
MAX_LENGTH = 4096


def parse(data: bytes) -> tuple[bytes, list[int], bool]:
    """(text, cuts, behind filler). The last byte gives the number of cuts, the bytes before it
    their places.
    """
    if not data:
        return b"", [], False
    count = min(data[-1] % (MAX_CUTS + 1), len(data) - 1)
    text, tail = data[: len(data) - 1 - count], data[len(data) - 1 - count : -1]
    cuts = [place * (len(text) + 1) // 256 for place in tail]
    return text, cuts, data[-1] // (MAX_CUTS + 1) % BEHIND_FILLER == 1


@lru_cache(maxsize=1)
def _tokens() -> list[bytes]:
    return list(encoded_tokens())


def splice(data: bytes, chance: random.Random) -> bytes:
    """`data` with a token, or a piece of one, put in at a place of chance."""
    token = chance.choice(_tokens())
    if chance.random() < 0.3:
        token = token[chance.randrange(len(token)) :]
    if chance.random() < 0.3:
        token = token[: chance.randrange(len(token) + 1)]
    at = chance.randrange(len(data) + 1)
    return data[:at] + token + data[at + chance.choice((0, 0, 1, 4, 16)) :]


class Kept:
    """The shortest input for each promise that broke, as files `broken-<promise>`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shortest: dict[str, int] = {}

    def keep(self, error: Exception, data: bytes) -> None:
        """Write `data` if no shorter input broke the same promise."""
        words = (
            str(error).split()
            if isinstance(error, AssertionError)
            else [type(error).__name__, str(error)[:40]]
        )
        name = re.sub(r"[^A-Za-z]+", "-", "-".join(words[:3])).strip("-")
        if len(data) < self._shortest.get(name, sys.maxsize):
            self._shortest[name] = len(data)
            (self._folder / f"broken-{name}").write_bytes(data)
            print(f"broken ({len(data)} bytes): {error}", file=sys.stderr)


def main(argv: Sequence[str]) -> None:
    """Fuzz until libFuzzer's options say stop."""
    import atheris  # the tests of this folder run without it

    with atheris.instrument_imports(include=["jwtleak"]):
        from fuzz.checks import FILLER, check

    def one_input(data: bytes) -> None:
        text, cuts, behind = parse(data)
        filler = FILLER if behind else b""
        try:
            check(filler + text, [len(filler) + cut for cut in cuts])
        except Exception as error:
            if not keep_going:
                raise
            kept.keep(error, data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        changed = splice(data, chance) if chance.random() < 0.1 else atheris.Mutate(data, max_size)
        return changed[:max_size]

    folder, options = Path(argv[0]), [option for option in argv[1:] if option != "--keep-going"]
    keep_going = len(options) < len(argv) - 1
    kept = Kept(folder)
    write_corpus(folder / "corpus")
    (folder / "dictionary").write_text(dictionary(), encoding="ascii")
    fixed = [
        f"-dict={folder / 'dictionary'}",
        f"-artifact_prefix={folder}/",
        f"-max_len={MAX_LENGTH}",
        "-timeout=20",
    ]
    atheris.Setup(
        [sys.argv[0], str(folder / "corpus"), *fixed, *options], one_input, custom_mutator=mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
