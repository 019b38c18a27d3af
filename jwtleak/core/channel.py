"""The channel of a leak: what kind of place a token stands in, told from the text around it.

Promises: the first rule, in the order of their file, whose regular expression ends exactly at the
token; `unknown` when none does; never an exception. Each rule sees at most its window of bytes, so
that time per token has a bound. What a rule says is data (`patterns/channels.toml`); nothing here
knows a header or a parameter by name.
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

# How far a rule may look back: the caller keeps 1 KiB; names, delimiters and their URL's beginning
# mostly stand in 256.
WINDOW: Final = 256
MAX_WINDOW: Final = 1024
# Names longer than this are noise in an alert; real parameter, header and cookie names stay below
# 64.
MAX_NAME: Final = 64

# Names remembered: an installation logs a few dozen; a name that a rule lets through is at most 128
# bytes.
_MEMO: Final = 512


class ChannelRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/channels.toml`.

    `regex` (Python `re` on bytes) must end exactly at the token; its group `name`, or else the key
    `name`, names the parameter, header, cookie or field. At least one of `keywords` (compared
    without case) must occur before the token. `ends` lists the bytes that can stand right before
    the token; empty means any. `after` must match right behind it.
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


# Neighbours in the file that ask for the same keywords in the same window: one look serves them
# all.
_Group: TypeAlias = tuple[tuple[bytes, ...], bool, list[_Compiled]]


class Channels:
    """Classifies places by an ordered list of rules."""

    def __init__(self, rules: Sequence[ChannelRule] | Callable[[], Sequence[ChannelRule]]) -> None:
        """`rules`, or what loads them. They are loaded and compiled when a token first needs them:
        most runs find none, and it takes longer than scanning 20 MB. `check` compiles them all.
        """
        self._source: Final = rules
        self._by_last: Final[dict[int, list[_Group]]] = {}

    def check(self) -> None:
        """Raises PatternError, naming the rule, for an expression that is none."""
        for rule in self._rules:
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
        """The rules for a token behind the byte `last`: it rules most of them out at once."""
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
        for keywords, wide, rules in self._ending(before[-1]):
            for keyword in keywords:
                if keyword in lower:
                    break
            else:
                continue
            text = far if wide else near
            for rule in rules:
                if rule.follows is not None and rule.follows.match(after) is None:
                    continue
                match = rule.ends.search(text)
                if match is not None:
                    return _named(rule.type, match["name"]) if rule.named else rule.channel
        return UNKNOWN_CHANNEL


def _grouped(rules: list[tuple[ChannelRule, _Compiled]]) -> list[_Group]:
    def gate(entry: tuple[ChannelRule, _Compiled]) -> tuple[tuple[bytes, ...], bool]:
        rule = entry[0]
        return tuple(keyword.lower().encode() for keyword in rule.keywords), rule.window > WINDOW

    return [(*key, [ready for _, ready in group]) for key, group in groupby(rules, gate)]


@lru_cache(maxsize=None)
def _compile(rule: ChannelRule) -> _Compiled:
    ends = lazy(b"(?:" + rule.regex.encode() + rb")\Z")
    follows = None if rule.after is None else lazy(rule.after.encode())
    return _Compiled(
        ends, follows, rule.type, Channel(rule.type, rule.name), "(?P<name>" in rule.regex
    )


@lru_cache(_MEMO)
def _named(kind: ChannelType, raw: bytes | None) -> Channel:
    """The channel with its name as written, without control characters, at most MAX_NAME
    characters; what could be a piece of a token in it is masked.
    """
    if not raw:
        return Channel(kind)
    text = "".join(char for char in raw.decode("utf-8", "replace") if char.isprintable())
    return Channel(kind, mask_name(text[:MAX_NAME]) or None)
