"""Tests pattern files: every example matches, no negative example does, no expression hangs.

Promises: reports all problems of all files, not only the first. A problem names the file, the entry
and the mistake. Refuses real tokens: examples of token shapes are templates, minted here from fixed
dummy bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from jwtleak.core.channel import MAX_WINDOW, WINDOW, ChannelRule, Channels
from jwtleak.core.custom_patterns import UserPattern, UserPatterns, compile_pattern
from jwtleak.errors import PatternError
from jwtleak.patterns.check_tables import check_assessment_tables
from jwtleak.patterns.loader import (
    Problem,
    Shape,
    b64,
    convert,
    load_channels,
    load_shapes,
    pattern_files,
    read_toml,
)

Find = Callable[[bytes], list[str]]

# Lengths of adversarial texts. A linear expression needs milliseconds for the longest, a quadratic
# one seconds.
PUMPED: Final = (10_000, 100_000)
# Seconds for one expression on one pumped text: 100 KB at 0.4 MB/s, slower than any expression that
# is linear.
PATIENCE: Final = 0.25
# Pieces of an example to repeat: its runs reveal nested repetitions; more would cost minutes.
_PIECES: Final = 12

_TEMPLATE: Final = re.compile(r"\{(header|pretty|claims|bytes|noalg)(?::([\w.,-]+))?\}")
_RUN: Final = re.compile(rb"\w+|\W+")
_CLAIMS: Final = b'{"sub":"example","iat":1700000000,"exp":1700003600}'


def check(directories: Iterable[str | Path], find: Find) -> list[Problem]:
    """All problems of the patterns that come with jwtleak and of the user patterns in
    `directories`.

    `find` returns the kinds of the tokens that the detector finds in some bytes.
    """
    problems: list[Problem] = []
    # A file of ours that does not load ends the checks of ours; the user's files are checked all
    # the same.
    try:
        problems += check_shapes(load_shapes(), find)
        problems += check_channels(load_channels())
        problems += check_assessment_tables()
    except PatternError as error:
        problems.append(Problem("patterns", "", str(error)))
    try:
        files = pattern_files(directories)
    except PatternError as error:
        return [*problems, Problem("patterns", "", str(error))]
    # Ids are unique over all files: an alert names its pattern by the id alone.
    seen: dict[str, str] = {}
    for path in files:
        problems += _check_file(path, seen)
    return problems


def check_shapes(shapes: Iterable[Shape], find: Find) -> Iterator[Problem]:
    """Mint every template; `find` must return its kind."""
    for shape in shapes:
        for number, example in enumerate(shape.examples, 1):
            if shape.kind not in find(mint(example)):
                yield Problem(
                    "shapes.toml", shape.id, f"example {number} is not found as {shape.kind}"
                )
        # Of any kind: a negative example is no token at all.
        for number, example in enumerate(shape.negative_examples, 1):
            if find(mint(example)):
                yield Problem("shapes.toml", shape.id, f"negative example {number} is found")


def check_channels(rules: Iterable[ChannelRule]) -> Iterator[Problem]:
    """Match every rule alone, and all rules together, against the examples of the rule."""
    rules = tuple(rules)
    # `check` compiles every expression: a broken one raises here and not in a scan.
    together = Channels(rules)
    together.check()
    for rule in rules:
        alone = Channels((rule,))
        if not rule.keywords:
            yield Problem("channels.toml", rule.id, "keywords: at least one literal is needed")
        if not WINDOW <= rule.window <= MAX_WINDOW:
            yield Problem(
                "channels.toml", rule.id, f"window: must be from {WINDOW} to {MAX_WINDOW}"
            )
        for number, example in enumerate(rule.examples, 1):
            before, _, after = example.encode().partition(b"<JWT>")
            own, all_of_them = alone.classify(before, after), together.classify(before, after)
            # The first rule wins, so an earlier rule can hide this one.
            if own.type != rule.type:
                yield Problem("channels.toml", rule.id, f"example {number} does not match")
            elif own != all_of_them:
                yield Problem(
                    "channels.toml",
                    rule.id,
                    f"example {number} is {all_of_them.type} by an earlier rule",
                )
        for number, example in enumerate(rule.negative_examples, 1):
            before, _, after = example.encode().partition(b"<JWT>")
            if alone.classify(before, after).type != "unknown":
                yield Problem("channels.toml", rule.id, f"negative example {number} matches")


def check_pattern(pattern: UserPattern) -> list[str]:
    """The mistakes of one user pattern."""
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        return [str(error).removeprefix(f"{pattern.id}: ")]
    wrong = [] if pattern.examples else ["examples: at least one is needed"]
    alone = UserPatterns((pattern,), timeout=PATIENCE)
    for number, example in enumerate(pattern.examples, 1):
        text = example.encode()
        # First: without a keyword a scan never runs the expression, however well it fits.
        if not any(keyword.encode() in text for keyword in pattern.keywords):
            wrong.append(f"example {number} contains none of the keywords")
        elif not alone.search(text)[0]:
            wrong.append(f"example {number} does not match")
    wrong += [
        f"negative example {number} matches"
        for number, example in enumerate(pattern.negative_examples, 1)
        if alone.search(example.encode())[0]
    ]
    if _is_catastrophic(
        compiled, [example.encode() for example in (*pattern.examples, *pattern.negative_examples)]
    ):
        wrong.append(
            "regex: takes more than linear time on some texts; use possessive quantifiers or bounds"
        )
    return wrong


def mint(template: str) -> bytes:
    """The bytes that a template of `shapes.toml` describes: the same ones at every call."""
    return _TEMPLATE.sub(lambda match: _part(match[1], match[2] or ""), template).encode()


def _part(kind: str, argument: str) -> str:
    if kind == "bytes":
        # The last character is A: the bits that base64 leaves over must be 0.
        return ("Q7w_x2-k" * (int(argument) // 8 + 1))[: int(argument) - 1] + "A"
    if kind in {"header", "pretty"}:
        alg, _, enc = argument.partition(",")
        # With the blank behind its brace a header reads `eyAi`: no `eyJ` is there to find it.
        more = f',"enc":"{enc}"' if enc else ',"typ":"JWT"'
        text = f'{{{" " if kind == "pretty" else ""}"alg":"{alg}"{more}}}'.encode()
    else:
        text = _CLAIMS if kind == "claims" else b'{"cursor":"example","page":2}'
    return b64(text)


def _check_file(path: Path, seen: dict[str, str]) -> Iterator[Problem]:
    # Entry by entry and not through `load_user_patterns`, which stops at the first mistake.
    try:
        document = read_toml(path)
        unknown = sorted(set(document) - {"pattern"})
        raw = convert(document.get("pattern", []), list[dict[str, Any]], path.name, "pattern")
    except PatternError as error:
        # A problem names the file in a field of its own: the message need not repeat it.
        yield Problem(path.name, "", str(error).removeprefix(f"{path.name}: "))
        return
    if unknown:
        yield Problem(path.name, "", f"unknown table '{unknown[0]}'")
    for number, entry in enumerate(raw, 1):
        label = str(entry.get("id", f"pattern {number}"))
        if label in seen:
            yield Problem(path.name, label, f"id: stands also in {seen[label]}")
        seen[label] = path.name
        try:
            pattern = convert(entry, UserPattern, path.name, label)
        except PatternError as error:
            yield Problem(path.name, label, str(error).removeprefix(f"{path.name}: {label}: "))
            continue
        yield from (Problem(path.name, label, message) for message in check_pattern(pattern))


def _is_catastrophic(compiled: Any, examples: list[bytes]) -> bool:
    for text in _adversarial(examples):
        try:
            # Consuming the iterator is the test; `timeout` is the only way to stop `regex`.
            for match in compiled.finditer(text, timeout=PATIENCE):
                del match
        except TimeoutError:
            return True
    return False


def _adversarial(examples: list[bytes]) -> Iterator[bytes]:
    """Examples with one piece repeated, and an end that spoils the match: the expression backtracks
    through all repetitions.
    """
    for example in examples:
        # Runs of word characters, their first characters, and the whole: `(a+)+` hangs on a
        # repeated `a`, `(ab|a)+` on a repeated run.
        pieces = dict.fromkeys(
            [*_RUN.findall(example), *(run[:1] for run in _RUN.findall(example)), example]
        )
        for piece in list(pieces)[:_PIECES]:
            # What precedes the piece stays: the expression has to match it to come to the piece.
            at = example.find(piece)
            for length in PUMPED:
                yield example[:at] + piece * (length // len(piece)) + b"\n!"
