"""Who issued a token, what for, and how much it can do: rules from `patterns/issuers.toml` and
`patterns/public.toml`.

Promises: pure; the first provider in the order of the file that fits, and of it the first use that
fits; what no provider fits can still have a use (`typ`, claim names). Remembered by what rules look
at, so that tokens of one kind cost one look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from jwtleak.assess.conditions import (
    ClaimRule,
    Condition,
    Facet,
    TokenView,
    fitting,
    has_small_header,
    is_self_issued,
    is_small,
    words,
)
from jwtleak.types import Token

Privilege = Literal["low", "user", "service", "admin"]

# Claims that differ from token to token: not worth remembering.
_VARIED = frozenset({"sub", "email", "preferred_username", "upn"})

# Kinds of token remembered: those of a busy gateway are some hundreds. An attacker who varies them
# costs a look each.
_REMEMBER = 2048
_HEADERS = 256
# Longer values are not remembered.
_SHORT = 256


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token is for. Fits when one of `match` does; without any, always. `lifetime` is the
    longest, in seconds, that this use should have; `revoke` replaces the provider's steps.
    """

    use: str
    match: tuple[ClaimRule, ...] = ()
    privilege: Privilege = "user"
    lifetime: int | None = None
    revoke: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    negative_examples: tuple[str, ...] = ()


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/issuers.toml`. Examples are JSON: claims, or {"header": .., "claims":
    .., "before": .., "channel": ..}.
    """

    id: str
    name: str
    match: tuple[ClaimRule, ...]
    uses: tuple[Use, ...]
    revoke: tuple[str, ...]
    reference: str
    negative_examples: tuple[str, ...] = ()


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `patterns/public.toml`: tokens that are public by design, or that can do more
    than others.
    """

    id: str
    effect: Literal["public", "admin"]
    match: tuple[ClaimRule, ...]
    why: str
    reference: str
    examples: tuple[str, ...]
    negative_examples: tuple[str, ...]


class Origin(msgspec.Struct, frozen=True, eq=False):
    """What rules say of a token. `public` and `admin` are ids of notes. Compared by identity: one
    for each kind of token.
    """

    provider: str | None = None
    use: str | None = None
    privilege: Privilege = "user"
    lifetime: int | None = None
    revoke: tuple[str, ...] = ()
    reference: str | None = None
    public: str | None = None
    admin: str | None = None


NOWHERE = Origin()


# A claim that rules ask for, and what they can tell of its values.
_Valued: TypeAlias = tuple[str, dict[str, Facet | None]]


class _Rule(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]
    what: Any

    def holds(self, sight: TokenView) -> bool:
        """Whether one of the conditions does; none at all is no condition."""
        return not self.conditions or any(one.holds(sight) for one in self.conditions)


def _rule(matches: Sequence[ClaimRule], what: Any) -> _Rule:
    return _Rule(tuple(Condition(match) for match in matches), what)


class Issuers:
    """Recognises providers and uses."""

    def __init__(
        self,
        issuers: Sequence[Issuer] = (),
        uses: Sequence[Use] = (),
        notes: Sequence[Note] = (),
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._limits = limits or {}
        self._issuers = [
            (_rule(one.match, one), [_rule(use.match, use) for use in one.uses]) for one in issuers
        ]
        self._uses = [_rule(use.match, use) for use in uses]
        self._notes = [_rule(note.match, note) for note in notes]
        rules = (
            [rule for rule, more in self._issuers for rule in (rule, *more)]
            + self._uses
            + self._notes
        )
        conditions = [one for rule in rules for one in rule.conditions]
        globs: dict[str, list[str]] = {}
        for one in conditions:
            for name, asked in one.asked:
                globs.setdefault(name, []).extend(asked)
        self._fits = {name: fitting(tuple(dict.fromkeys(asked))) for name, asked in globs.items()}
        # For each claim that rules ask for, what they can tell of values that were met.
        self._seen: dict[str, dict[str, Facet | None]] = {name: {} for name in globs}
        self._met = 0  # values in all of them
        self.prefixes = tuple(sorted({one.before for one in conditions if one.before is not None}))
        self._valued_of: dict[tuple[str, ...], tuple[_Valued, ...]] = {}
        self._known: dict[tuple[Any, ...], Origin] = {}
        self._headers: dict[int, dict[str, Any]] = {}

    def recognise(self, token: Token, before: str = "", channel: str | None = None) -> Origin:
        """The origin of `token`. `channel` is the name of its place: it tells only tokens whose
        claims cannot be read.
        """
        claims = token.claims
        if claims is None:
            return (
                self._look(TokenView(token.header, {}, before, channel or ""))
                if self._issuers
                else NOWHERE
            )
        names = tuple(claims)
        valued = self._valued_of.get(names) or self._valued_names(names)
        values = tuple([
            seen[value] if type(value := claims[name]) is str and value in seen else self._value(name, value)
            for name, seen in valued
        ])  # fmt: skip
        key = (self._header(token), names, values, before, is_self_issued(claims))
        known = self._known.get(key)
        if known is None:
            known = self._look(TokenView(token.header, claims, before))
            if (
                key[0]
                and is_small(names)
                and all(value is None or is_small(value) for value in values)
            ):
                if len(self._known) >= _REMEMBER:
                    self._known.clear()
                self._known[key] = known
        return known

    def _value(self, name: str, value: object) -> Facet | None:
        """What rules can tell of a value: all values that no rule asks for are one."""
        strings = words(name, value)
        told = strings if any(map(self._fits[name], strings)) else None
        if type(value) is str and name not in _VARIED and len(value) <= _SHORT:
            if self._met >= _REMEMBER:
                for seen in self._seen.values():
                    seen.clear()
                self._met = 0
            self._met += 1
            self._seen[name][value] = told
        return told

    def _valued_names(self, names: tuple[str, ...]) -> tuple[_Valued, ...]:
        valued = tuple((name, self._seen[name]) for name in names if name in self._seen)
        if is_small(names):
            if len(self._valued_of) >= _REMEMBER:
                self._valued_of.clear()
            self._valued_of[names] = valued
        return valued

    def _header(self, token: Token) -> int:
        """A number for a header: the judge gives the same object for the same bytes, and what is
        kept here stays. 0 for a header too long to be kept.
        """
        header = token.header
        number = id(header)
        if number not in self._headers:
            if not has_small_header(token):
                return 0
            if len(self._headers) >= _HEADERS:
                self._headers.clear()
                self._known.clear()
            self._headers[number] = header
        return number

    def _look(self, sight: TokenView) -> Origin:
        origin = self._origin(sight)
        for rule in self._notes:
            note: Note = rule.what
            if getattr(origin, note.effect) is None and rule.holds(sight):
                origin = msgspec.structs.replace(origin, **{note.effect: note.id})
        return origin

    def _origin(self, sight: TokenView) -> Origin:
        for rule, uses in self._issuers:
            if not rule.holds(sight):
                continue
            issuer: Issuer = rule.what
            use = next((one.what for one in uses if one.holds(sight)), None) or self._use(sight)
            return self._made(issuer, use)
        return self._made(None, self._use(sight))

    def _made(self, issuer: Issuer | None, use: Use | None) -> Origin:
        provider, steps, reference = (
            (None, (), None) if issuer is None else (issuer.id, issuer.revoke, issuer.reference)
        )
        other = self._limits.get("other")
        if use is None:
            return Origin(provider, None, "user", other, steps, reference)
        lifetime = use.lifetime or self._limits.get(use.use, other)
        return Origin(provider, use.use, use.privilege, lifetime, use.revoke or steps, reference)

    def _use(self, sight: TokenView) -> Use | None:
        return next((one.what for one in self._uses if one.holds(sight)), None)
