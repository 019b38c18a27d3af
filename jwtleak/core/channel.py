"""The channel of a leak: the kind of place that the text around a token shows.

Promises: the first rule in file order whose expression ends exactly at the token; `unknown` without
one; never an exception. Each rule sees at most its window, which bounds the time per token. Rules
are data (`patterns/channels.toml`): this module knows no header or parameter by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Final, TypeAlias

import msgspec

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.sanitize import mask_name
from jwtleak.errors import PatternError
from jwtleak.types import UNKNOWN_CHANNEL, Channel, ChannelType

# Bytes before the token that a rule sees. 256 hold most names, delimiters and the beginning of
# their URL; the caller keeps 1 KiB.
WINDOW: Final = 256
MAX_WINDOW: Final = 1024
# A longer name is noise in an alert. Real names of parameters, headers and cookies stay below 64.
MAX_NAME: Final = 64

# Names cached. An installation logs a few dozen, and no rule allows a name over 128 bytes.
_MEMO: Final = 512


class ChannelRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/channels.toml`.

    `regex` (Python `re` on bytes) must end exactly at the token. Its group `name`, or else the key
    `name`, names the parameter, header, cookie or field. At least one of `keywords` (compared
    without case) must occur before the token. `ends` lists the bytes that the token may follow;
    empty means any. `after` must match right behind the token.
    """

    id: str
    type: ChannelType
    regex: str
    keywords: tuple[str, ...]
    ends: str = ""
    after: str | None = None
    name: str | None = None
    window: int = WINDOW
    examples: tuple[str, ...] = ()
    negative_examples: tuple[str, ...] = ()


class _Compiled(msgspec.Struct, frozen=True):
    ends: re.Pattern[bytes]
    follows: re.Pattern[bytes] | None
    type: ChannelType
    channel: Channel
    named: bool


# Neighbours in the file with the same keywords and window: one search for the keywords serves all.
_Group: TypeAlias = tuple[tuple[bytes, ...], bool, list[_Compiled]]


class Channels:
    """Classifies places by an ordered list of rules."""

    def __init__(self, rules: Sequence[ChannelRule] | Callable[[], Sequence[ChannelRule]]) -> None:
        """`rules`, or a function that loads them.

        They are loaded and compiled for the first token: most runs find none, and it takes longer
        than scanning 20 MB. `check` compiles all of them.
        """
        self._source: Final = rules
        self._by_last: Final[dict[int, list[_Group]]] = {}

    def check(self) -> None:
        """Raise PatternError for an expression that does not compile. It names the rule."""
        for rule in self._rules:
            # A lazy expression compiles when it is first searched with.
            ready = _compile(rule)
            try:
                ready.ends.search(b"")
                if ready.follows is not None:
                    ready.follows.match(b"")
            except re.error as error:
                raise PatternError(f"channel {rule.id}: regex: {error}") from error

    @cached_property
    def _rules(self) -> tuple[ChannelRule, ...]:
        return tuple(self._source() if callable(self._source) else self._source)

    def _ending(self, last: int) -> list[_Group]:
        """The rules for a token behind the byte `last`. Most rules end in one of a few bytes."""
        groups = self._by_last.get(last)
        if groups is None:
            rules = [rule for rule in self._rules if not rule.ends or last in rule.ends.encode()]
            groups = self._by_last[last] = _grouped([(rule, _compile(rule)) for rule in rules])
        return groups

    def classify(self, before: bytes, after: bytes) -> Channel:
        """The channel of a token between `before` and `after`, both of the same line."""
        if not before:
            return UNKNOWN_CHANNEL
        near, far = before[-WINDOW:], before[-MAX_WINDOW:]
        lower = far.lower()
        # Three filters, the cheapest first: the last byte, a keyword, the text behind. Few tokens
        # reach an expression, and most of those need one.
        for keywords, wide, rules in self._ending(before[-1]):
            for keyword in keywords:
                if keyword in lower:
                    break
            else:
                continue
            # A rule sees its own window only: `\Z` anchors the end, but `search` tries every start.
            text = far if wide else near
            for rule in rules:
                if rule.follows is not None and rule.follows.match(after) is None:
                    continue
                match = rule.ends.search(text)
                if match is not None:
                    return _named(rule.type, match["name"]) if rule.named else rule.channel
        return UNKNOWN_CHANNEL


def _grouped(rules: list[tuple[ChannelRule, _Compiled]]) -> list[_Group]:
    # Neighbours only: the order of the file is the precedence, so no rule may pass another.
    def key_of(entry: tuple[ChannelRule, _Compiled]) -> tuple[tuple[bytes, ...], bool]:
        rule = entry[0]
        return tuple(keyword.lower().encode() for keyword in rule.keywords), rule.window > WINDOW

    return [(*key, [ready for _, ready in group]) for key, group in groupby(rules, key_of)]


@lru_cache(maxsize=None)
def _compile(rule: ChannelRule) -> _Compiled:
    # `\Z`: the text ends where the token begins, and a rule describes what is directly before it.
    ends = lazy(b"(?:" + rule.regex.encode() + rb")\Z")
    follows = None if rule.after is None else lazy(rule.after.encode())
    return _Compiled(
        ends, follows, rule.type, Channel(rule.type, rule.name), "(?P<name>" in rule.regex
    )


@lru_cache(_MEMO)
def _named(kind: ChannelType, raw: bytes | None) -> Channel:
    """The channel, with its name without control characters, at most MAX_NAME characters long.

    A piece of a token in the name is masked: an attacker chooses names.
    """
    if not raw:
        return Channel(kind)
    # A name may be any bytes: one that is no UTF-8 must not end the scan.
    text = "".join(char for char in raw.decode("utf-8", "replace") if char.isprintable())
    return Channel(kind, mask_name(text[:MAX_NAME]) or None)
