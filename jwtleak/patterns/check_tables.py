"""Tests the tables of issuers, uses, keys, claims and servers with their own examples.

Promises: reports all problems, each with the file, the entry and the mistake. Tokens are minted
here from the example claims and fixed dummy bytes; none is real.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from jwtleak.assess.advice import Server, server_of
from jwtleak.assess.conditions import ClaimRule
from jwtleak.assess.hmac_keys import Example, PublishedKey
from jwtleak.assess.issuers import Issuer, Issuers, Note, Origin, Use
from jwtleak.assess.personal_data import plain
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.errors import PatternError
from jwtleak.patterns.loader import Problem, b64
from jwtleak.patterns.tables import load_claims, load_issuers, load_keys, load_notes, load_servers
from jwtleak.types import Token

# Matching is polynomial in the number of stars: more would be slow on a hostile value.
_MAX_STARS = 3


class TableExample(NamedTuple):
    """An example as rules see it."""

    token: Token
    before: str
    channel: str | None


def example(text: str) -> TableExample:
    """The token that an example describes; raises ValueError where it describes none."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("is not an object")  # noqa: TRY004 - of the example, not of a type
    # Claims alone are the short form; a document with other keys than these is claims.
    spelled_out = document and set(document) <= {"header", "claims", "before", "channel"}
    whole: dict[str, Any] = document if spelled_out else {"claims": document}
    # The header of the example wins over the default, which only makes the token decode.
    header = {"alg": "HS256", "typ": "JWT", **whole.get("header", {})}
    data = mint(header, whole.get("claims", {}))
    # Through the matcher and not by hand: rules see exactly what they see in a scan.
    found = Matcher().at(data, 0, len(data))
    if not isinstance(found, TokenMatch):
        raise ValueError("is not a token")  # noqa: TRY004 - of the example, not of a type
    return TableExample(found.token, whole.get("before", ""), whole.get("channel"))


def mint(header: dict[str, Any], claims: dict[str, Any] | None) -> bytes:
    """A token with these parts and dummy bytes for the others; a JWE where `claims` is None."""
    first = b64(json.dumps(header).encode())
    if claims is None:
        return f"{first}.{'A' * 8}.{'A' * 16}.{'A' * 96}.{'A' * 22}".encode()
    return f"{first}.{b64(json.dumps(claims).encode())}.{'A' * 43}".encode()


def check_assessment_tables() -> list[Problem]:
    """All problems of the tables that come with jwtleak."""
    try:
        issuers, uses, limits = load_issuers()
        notes = load_notes()
        keys, examples = load_keys()
        claims, _ = load_claims()
        servers = load_servers()
    except PatternError as error:
        return [Problem("patterns", "", str(error))]
    # One table of everything, as in a scan: an earlier rule that claims an example is a problem.
    table = Issuers(issuers, uses, notes, limits)
    return [
        *check_issuers(issuers, table), *check_uses(uses, table), *check_notes(notes, table),
        *check_keys(keys, examples), *check_claims(claims), *check_servers(servers),
    ]  # fmt: skip


class _QueryLog(NamedTuple):
    """A check of the whole table: `seen` of an example's origin must equal `answer`."""

    file: str
    label: str
    table: Issuers
    seen: Callable[[Origin], object]
    answer: object

    def all(self, texts: Iterable[str]) -> Iterator[Problem]:
        """A problem for each example with another answer."""
        for number, found in self._answers("example", texts):
            if isinstance(found, Problem):
                yield found
            elif found != self.answer:
                yield Problem(self.file, self.label, f"example {number} is {found}")

    def none(self, texts: Iterable[str]) -> Iterator[Problem]:
        """A problem for each negative example with this answer."""
        for number, found in self._answers("negative example", texts):
            if isinstance(found, Problem):
                yield found
            elif found == self.answer:
                yield Problem(self.file, self.label, f"negative example {number} is recognised")

    def _answers(self, sort: str, texts: Iterable[str]) -> Iterator[tuple[int, object]]:
        for number, text in enumerate(texts, 1):
            try:
                yield number, self.seen(self.table.recognise(*example(text)))
            # A hand-written example fails in several ways: no JSON, no object, a wrong type inside.
            except (ValueError, AttributeError, TypeError) as error:
                yield number, Problem(self.file, self.label, f"{sort} {number}: {error}")


def check_issuers(issuers: Iterable[Issuer], table: Issuers) -> Iterator[Problem]:
    """Each example is of its provider and use, no negative example is of the provider."""
    file = "issuers.toml"
    for issuer in issuers:
        yield from _globs(
            file, issuer.id, [*issuer.match, *(match for use in issuer.uses for match in use.match)]
        )
        if not (
            issuer.negative_examples and issuer.revoke and all(use.examples for use in issuer.uses)
        ):
            yield Problem(
                file,
                issuer.id,
                "revoke, negative_examples, and examples of each use: at least one is needed",
            )
        # With the privilege: two uses of one name may differ in it alone.
        for use in issuer.uses:
            expected = (issuer.id, use.use, use.privilege)
            asked = _QueryLog(
                file,
                f"{issuer.id}: {use.use}",
                table,
                attrgetter("provider", "use", "privilege"),
                expected,
            )
            yield from asked.all(use.examples)
        yield from _QueryLog(file, issuer.id, table, attrgetter("provider"), issuer.id).none(
            issuer.negative_examples
        )


def check_uses(uses: Iterable[Use], table: Issuers) -> Iterator[Problem]:
    """Each example has its use without a provider, no negative example has it."""
    for use in uses:
        yield from _globs("issuers.toml", use.use, use.match)
        if not (use.examples and use.negative_examples):
            yield Problem(
                "issuers.toml",
                use.use,
                "examples and negative_examples: at least one of each is needed",
            )
        # Without a provider: its own uses would come before this one.
        asked = _QueryLog(
            "issuers.toml", use.use, table, attrgetter("provider", "use"), (None, use.use)
        )
        yield from asked.all(use.examples)
        yield from asked.none(use.negative_examples)


def check_notes(notes: Iterable[Note], table: Issuers) -> Iterator[Problem]:
    """Each example has its note, no negative example has it."""
    for note in notes:
        yield from _globs("public.toml", note.id, note.match)
        if not (note.examples and note.negative_examples):
            yield Problem(
                "public.toml",
                note.id,
                "examples and negative_examples: at least one of each is needed",
            )
        asked = _QueryLog("public.toml", note.id, table, attrgetter(note.effect), note.id)
        yield from asked.all(note.examples)
        yield from asked.none(note.negative_examples)


def _globs(file: str, label: str, matches: Iterable[ClaimRule]) -> Iterator[Problem]:
    for match in matches:
        globs = [*match.iss, *match.aud, *match.azp, *match.typ, *match.channel]
        for value in (*match.claims.values(), *match.header.values()):
            globs += [value] if isinstance(value, str) else value
        for glob in globs:
            # `**` backtracks like one star.
            if glob.replace("**", "*").count("*") > _MAX_STARS:
                yield Problem(file, label, f"{glob}: more than {_MAX_STARS} stars")


def check_keys(keys: Iterable[PublishedKey], examples: Iterable[Example]) -> Iterator[Problem]:
    """Each key occurs once; each fingerprint is a SHA-256 in hex and occurs once."""
    secrets: dict[bytes, str] = {}
    for key in keys:
        # By the bytes: the same key can be written as text and as base64.
        other = secrets.setdefault(key.secret(), key.id)
        if other != key.id:
            yield Problem("keys.toml", key.id, f"key: stands also as {other}")
    homes: dict[str, str] = {}
    for example in examples:
        for digest in example.sha256:
            # Compared as text with a token's digest: another spelling would never be found.
            if len(digest) != 64 or digest.strip("0123456789abcdef"):
                yield Problem(
                    "examples.toml", example.where, "sha256: is not 64 hex digits in lower case"
                )
            other = homes.setdefault(digest, example.where)
            if other != example.where:
                yield Problem("examples.toml", example.where, f"sha256: stands also in {other}")


def check_claims(tables: dict[str, dict[str, list[str]]]) -> Iterator[Problem]:
    """Each name is in the form in which names are compared, and occurs once. `tables`: table, kind,
    names.
    """
    homes: dict[str, str] = {}
    for kinds in tables.values():
        for kind, names in kinds.items():
            for name in names:
                # Claims are compared in this form: a name in another one would never be found.
                if plain(name) != name:
                    yield Problem("claims.toml", kind, f"{name}: is compared as {plain(name)}")
                other = homes.setdefault(name, kind)
                if other != kind:
                    yield Problem("claims.toml", kind, f"{name}: stands also in {other}")


def check_servers(servers: tuple[Server, ...]) -> Iterator[Problem]:
    """Each path is of its server, no negative one is."""
    for server in servers:
        for path in server.examples:
            # Among all servers: an earlier one that matches the path too would win in a scan.
            found = server_of(servers, path)
            if found is not server:
                yield Problem(
                    "servers.toml", server.id, f"{path}: is {found.id if found else 'no server'}"
                )
        for path in server.negative_examples:
            if server_of(servers, path) is server:
                yield Problem("servers.toml", server.id, f"{path}: is recognised")
