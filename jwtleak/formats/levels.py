"""The scale of severities in the terms of each receiver, and a leaked token in the terms of MITRE
ATT&CK and CWE.

Promises: constants, and links for references. The ECS numbers are fixed: Elastic's rule for
external alerts compares `event.severity` with 21, 47, 73 and 99 for equality
(elastic/detection-rules, external_alerts.toml).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jwtleak.types import Confidence, Severity


class Level(NamedTuple):
    """One severity in the terms of each receiver."""

    ecs: int
    ocsf: int  # severity_id
    ocsf_name: str
    cef: int  # 0 to 10; LEEF has 1 to 10
    syslog: int  # RFC 5424 section 6.2.1
    otlp: int  # SeverityNumber
    sarif: str
    sarif_score: str  # GitHub's `security-severity`
    cim: str  # Splunk's Common Information Model
    gitlab: str


LEVELS: dict[Severity, Level] = {
    "critical": Level(99, 5, "Critical", 10, 2, 21, "error", "9.5", "critical", "Critical"),
    "high": Level(73, 4, "High", 8, 4, 17, "error", "8.0", "high", "High"),
    "medium": Level(47, 3, "Medium", 5, 5, 13, "warning", "5.0", "medium", "Medium"),
    "low": Level(21, 2, "Low", 3, 6, 9, "note", "2.0", "low", "Low"),
    "info": Level(0, 1, "Informational", 0, 6, 9, "note", "0.0", "informational", "Info"),
}

# OCSF `confidence_id`, and its name.
CONFIDENCES: dict[Confidence, tuple[int, str]] = {
    "high": (3, "High"),
    "medium": (2, "Medium"),
    "low": (1, "Low"),
}

# MITRE ATT&CK, of the version below.
TACTIC = ("TA0006", "Credential Access")
TECHNIQUE = ("T1552", "Unsecured Credentials")
SUBTECHNIQUE = ("T1552.001", "Credentials In Files")
ATTACK_VERSION = "17.1"


def cwe_numbers(references: Iterable[str]) -> list[str]:
    """The numbers of the CWE references: `598` for `CWE-598`."""
    # The number becomes a part of a URL, and the author of a user pattern writes references too.
    return [
        reference.removeprefix("CWE-")
        for reference in references
        if reference.startswith("CWE-") and reference[4:].isdecimal()
    ]


def cwe_url(number: str) -> str:
    """The page of a weakness."""
    return f"https://cwe.mitre.org/data/definitions/{number}.html"


def links(references: Iterable[str]) -> list[str]:
    """The references as links: the pages of weaknesses, then those that are links themselves."""
    references = list(references)  # read twice below
    return [cwe_url(number) for number in cwe_numbers(references)] + [
        reference for reference in references if reference.startswith("https://")
    ]
