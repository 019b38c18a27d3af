"""Loads the tables of the assessment: issuers, keys, claims and servers.

Promises: a process reads them once, at its first token. Errors name the file, the entry and the
key.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jwtleak.assess.advice import Server
from jwtleak.assess.assessor import AssessmentTables
from jwtleak.assess.hmac_keys import Example, Keys, PublishedKey
from jwtleak.assess.issuers import Issuer, Issuers, Note, Use
from jwtleak.assess.personal_data import Sensitive
from jwtleak.errors import PatternError
from jwtleak.patterns.loader import builtin_directory, convert, entries, read_toml


def _document(directory: Path | None, name: str) -> tuple[dict[str, Any], str]:
    path = (directory or builtin_directory()) / name
    return read_toml(path), path.name


def load_issuers(
    directory: Path | None = None,
) -> tuple[tuple[Issuer, ...], tuple[Use, ...], dict[str, int]]:
    """Providers, uses without a provider, and the longest lifetime for each use."""
    document, file = _document(directory, "issuers.toml")
    issuers = entries(document, "issuer", Issuer, file, {"use", "limits"})
    # Uses have no id: two entries may describe the same use.
    uses = convert(document.get("use", []), list[Use], file, "use")
    return (
        tuple(issuers),
        tuple(uses),
        convert(document.get("limits", {}), dict[str, int], file, "limits"),
    )


def load_notes(directory: Path | None = None) -> tuple[Note, ...]:
    """Tokens that are public by design, and tokens that can do more than others."""
    document, file = _document(directory, "public.toml")
    return tuple(entries(document, "note", Note, file))


def load_keys(
    directory: Path | None = None,
) -> tuple[tuple[PublishedKey, ...], tuple[Example, ...]]:
    """Published keys, and the tokens that documentation prints."""
    document, file = _document(directory, "keys.toml")
    keys = entries(document, "key", PublishedKey, file)
    for key in keys:
        # Now, not at the first token: a broken key would fail in the middle of a scan.
        try:
            key.secret()
        except ValueError as error:
            raise PatternError(f"{file}: {key.id}: {error}") from None
    document, file = _document(directory, "examples.toml")
    return tuple(keys), tuple(entries(document, "example", Example, file))


def load_claims(directory: Path | None = None) -> tuple[dict[str, dict[str, list[str]]], list[str]]:
    """Names of claims by table (personal, secret) and kind, and the names to ignore."""
    document, file = _document(directory, "claims.toml")
    # `entries` does not fit: these entries have no id.
    unknown = sorted(set(document) - {"personal", "secret", "ignore"})
    if unknown:
        raise PatternError(f"{file}: unknown table '{unknown[0]}'")
    tables = {}
    for table in ("personal", "secret"):
        listed = convert(document.get(table, []), list[dict[str, Any]], file, table)
        # `get`: without `names` the error is that of `convert`, with the file and the entry.
        tables[table] = {
            str(entry.get("kind")): convert(
                entry.get("names"), list[str], file, f"{table} {entry.get('kind')}"
            )
            for entry in listed
        }
    return tables, convert(document.get("ignore", {}), dict[str, list[str]], file, "ignore").get(
        "names", []
    )


def load_sensitive(directory: Path | None = None) -> Sensitive:
    """The names of claims that are personal data or hold secrets."""
    tables, ignore = load_claims(directory)
    return Sensitive(tables["personal"], tables["secret"], ignore)


def load_servers(directory: Path | None = None) -> tuple[Server, ...]:
    """The instructions that keep tokens out of the logs of each server."""
    document, file = _document(directory, "servers.toml")
    return tuple(entries(document, "server", Server, file))


@lru_cache(maxsize=1)
def load_tables() -> AssessmentTables:
    """All tables that come with jwtleak."""
    # One object a process: recognised issuers and tried keys are cached in the tables, so that all
    # its streams share what one of them has worked out.
    issuers, uses, limits = load_issuers()
    keys, examples = load_keys()
    return AssessmentTables(
        Issuers(issuers, uses, load_notes(), limits),
        Keys(keys, examples),
        load_sensitive(),
        load_servers(),
    )
