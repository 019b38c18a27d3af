"""The issuer of a token, its use, and its privilege: rules from `patterns/issuers.toml` and
`patterns/public.toml`.

Promises: pure. The first provider that fits in the order of the file, and its first use that fits.
A token without a provider can still have a use (`typ`, claim names). Matching all rules takes about
a millisecond, so origins are cached by the facts that rules can distinguish: tokens of one kind are
matched once. Every cache is bounded.
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

# Claims that differ from token to token: caching their values would only fill the cache.
_VARIED = frozenset({"sub", "email", "preferred_username", "upn"})

# Kinds of token in the cache: a busy gateway has some hundreds. An attacker who varies them makes
# each token cost a full match, no more.
_KINDS = 2048
_HEADERS = 256
# Longer values are not cached.
_SHORT = 256


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The use of a token. Fits when one of `match` does; without any, always. `lifetime`: the
    longest, in seconds, that is fit for this use. `revoke` replaces the provider's steps.
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
    """The answer of the rules. `public` and `admin` are ids of notes. Compared by identity, so that
    the cache of verdicts hashes it in no time: there is one for each kind of token.
    """

    provider: str | None = None
    use: str | None = None
    privilege: Privilege = "user"
    lifetime: int | None = None
    revoke: tuple[str, ...] = ()
    reference: str | None = None
    public: str | None = None
    admin: str | None = None


UNKNOWN_ORIGIN = Origin()


# A claim that rules have globs for, and the facets of its values so far (None: no glob fits).
_Valued: TypeAlias = tuple[str, dict[str, Facet | None]]


class _Rule(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]
    what: Any

    def holds(self, view: TokenView) -> bool:
        """Whether one of the conditions does, or there is none."""
        return not self.conditions or any(condition.holds(view) for condition in self.conditions)


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
            (_rule(issuer.match, issuer), [_rule(use.match, use) for use in issuer.uses])
            for issuer in issuers
        ]
        self._uses = [_rule(use.match, use) for use in uses]
        self._notes = [_rule(note.match, note) for note in notes]
        rules = (
            [rule for rule, more in self._issuers for rule in (rule, *more)]
            + self._uses
            + self._notes
        )
        conditions = [condition for rule in rules for condition in rule.conditions]
        globs: dict[str, list[str]] = {}
        for condition in conditions:
            for name, patterns in condition.asked:
                globs.setdefault(name, []).extend(patterns)
        # Per claim, the globs of all rules: a value that fits none is the same to every rule.
        self._fits = {name: fitting(tuple(dict.fromkeys(found))) for name, found in globs.items()}
        self._seen: dict[str, dict[str, Facet | None]] = {name: {} for name in globs}
        self._values_seen = 0  # in all dictionaries of `_seen` together
        self.prefixes = tuple(sorted({c.before for c in conditions if c.before is not None}))
        self._valued_of: dict[tuple[str, ...], tuple[_Valued, ...]] = {}
        self._origins: dict[tuple[Any, ...], Origin] = {}
        self._headers: dict[int, dict[str, Any]] = {}

    def recognise(self, token: Token, before: str = "", channel: str | None = None) -> Origin:
        """The origin of `token`. `channel`: the name of its place, for a token without readable
        claims.
        """
        claims = token.claims
        if claims is None:
            return (
                self._match(TokenView(token.header, {}, before, channel or ""))
                if self._issuers
                else UNKNOWN_ORIGIN
            )
        # The key of the cache holds everything that a rule can distinguish:
        #
        #     header     its identity: the matcher's cache returns one object for equal bytes
        #     names      presence of claims
        #     values     of claims that have globs; None where no glob fits
        #     before     the prefix before the token
        #     iss = sub  whether the token is self-issued
        #
        # `jti`, `exp` and the subject are not in it, so the next token of the same kind hits.
        names = tuple(claims)
        valued = self._valued_of.get(names) or self._valued_names(names)
        # In line, since it runs for each claim of each token.
        values = tuple(
            [
                seen[value]
                if type(value := claims[name]) is str and value in seen
                else self._value(name, value)
                for name, seen in valued
            ]
        )
        key = (self._header(token), names, values, before, is_self_issued(claims))
        origin = self._origins.get(key)
        if origin is None:
            origin = self._match(TokenView(token.header, claims, before))
            if (
                key[0]
                and is_small(names)
                and all(value is None or is_small(value) for value in values)
            ):
                # A cleared cache refills within seconds; an order of use would cost every hit.
                if len(self._origins) >= _KINDS:
                    self._origins.clear()
                self._origins[key] = origin
        return origin

    def _value(self, name: str, value: object) -> Facet | None:
        """The facet of a value as far as rules can distinguish it: None where no glob fits."""
        strings = words(name, value)
        value_facet = strings if any(map(self._fits[name], strings)) else None
        if type(value) is str and name not in _VARIED and len(value) <= _SHORT:
            # One bound for all claims: with one for each, twenty claims would take twenty times
            # the memory.
            if self._values_seen >= _KINDS:
                for seen in self._seen.values():
                    seen.clear()
                self._values_seen = 0
            self._values_seen += 1
            self._seen[name][value] = value_facet
        return value_facet

    def _valued_names(self, names: tuple[str, ...]) -> tuple[_Valued, ...]:
        valued = tuple((name, self._seen[name]) for name in names if name in self._seen)
        if is_small(names):
            if len(self._valued_of) >= _KINDS:
                self._valued_of.clear()
            self._valued_of[names] = valued
        return valued

    def _header(self, token: Token) -> int:
        """A number for the header; 0 for one that is too long for a cache."""
        # The identity of the object. `_headers` keeps it alive, or Python would reuse the number
        # for another header, and with it the origin.
        header = token.header
        number = id(header)
        if number not in self._headers:
            if not has_small_header(token):
                return 0
            if len(self._headers) >= _HEADERS:
                # Together: an origin may not outlive the header whose number it is filed under.
                self._headers.clear()
                self._origins.clear()
            self._headers[number] = header
        return number

    def _match(self, view: TokenView) -> Origin:
        origin = self._origin(view)
        for rule in self._notes:
            note: Note = rule.what
            # The first note of each effect counts, in the order of the file.
            if getattr(origin, note.effect) is None and rule.holds(view):
                origin = msgspec.structs.replace(origin, **{note.effect: note.id})
        return origin

    def _origin(self, view: TokenView) -> Origin:
        for rule, uses in self._issuers:
            if not rule.holds(view):
                continue
            issuer: Issuer = rule.what
            # A provider's own uses first; then the general ones, by `typ` or claim names.
            use = next((rule.what for rule in uses if rule.holds(view)), None) or self._use(view)
            return self._made(issuer, use)
        return self._made(None, self._use(view))

    def _made(self, issuer: Issuer | None, use: Use | None) -> Origin:
        provider, steps, reference = (
            (None, (), None) if issuer is None else (issuer.id, issuer.revoke, issuer.reference)
        )
        other = self._limits.get("other")
        if use is None:
            return Origin(provider, None, "user", other, steps, reference)
        lifetime = use.lifetime or self._limits.get(use.use, other)
        return Origin(provider, use.use, use.privilege, lifetime, use.revoke or steps, reference)

    def _use(self, view: TokenView) -> Use | None:
        return next((rule.what for rule in self._uses if rule.holds(view)), None)
