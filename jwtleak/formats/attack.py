"""What a leaked token is in the terms of MITRE ATT&CK and of CWE: constants, and links for references."""

from __future__ import annotations

from collections.abc import Iterable

TACTIC = ("TA0006", "Credential Access")
TECHNIQUE = ("T1552", "Unsecured Credentials")
SUBTECHNIQUE = ("T1552.001", "Credentials In Files")
ATTACK_VERSION = "17.1"


def cwe_numbers(references: Iterable[str]) -> list[str]:
    """`598` for `CWE-598`; other references are left out."""
    return [one.removeprefix("CWE-") for one in references if one.startswith("CWE-") and one[4:].isdecimal()]


def cwe_url(number: str) -> str:
    """Where a weakness is described."""
    return f"https://cwe.mitre.org/data/definitions/{number}.html"


def links(references: Iterable[str]) -> list[str]:
    """The references that are on the web: weaknesses, and what is a link itself."""
    references = list(references)
    return [cwe_url(one) for one in cwe_numbers(references)] + [one for one in references if one.startswith("https://")]
