"""`sarif`: one SARIF 2.1.0 document of a scan, with what GitHub's code scanning asks for beyond the
standard.

Promises: written while the scan runs: results first, then their rules, so memory does not grow with
the number of results. Never a snippet, a context region or contents: they would hold the token.
Relative paths stay relative to SCANROOT. Columns count bytes; SARIF counts characters, which is the
same in an ASCII line. `byteOffset` counts decompressed bytes.
"""

from __future__ import annotations

import posixpath
from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats import levels
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import Ending, FormatOptions
from jwtleak.formats.layout import CUSTOM, Field, Layout, encode_json
from jwtleak.formats.levels import LEVELS
from jwtleak.types import SEVERITIES, Severity
from jwtleak.version import __version__

SCHEMA_URI = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_HOME = "https://jwtleak.dev/"
_BASE = "SCANROOT"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_HELP = (
    "Revoke the token or the session behind it, then keep tokens out of this place: see the advice"
    " of each result."
)
_BEYOND = (
    Field("host", "location.host"),
    Field("title", "title"),
    *(
        Field(f"container.{name}", f"location.container.{name}")
        for name in ("namespace", "pod", "pod_uid", "name", "id")
    ),
)
PROPERTIES = Layout([*CUSTOM.fields, *_BEYOND])


class Sarif:
    """Alerts as the results of one run."""

    name = "sarif"
    media_type = "application/sarif+json"
    between = b",\n"
    repeats = False

    def __init__(self, options: FormatOptions) -> None:
        self._options = options
        # Rule id to the rule and its worst severity so far. Bounded by the number of channels and
        # user patterns.
        self._rules: dict[str, tuple[dict[str, Any], Severity]] = {}

    def begin(self) -> bytes:
        """Up to the first result."""
        return b'{"$schema":"%s","version":"2.1.0","runs":[{"results":[\n' % SCHEMA_URI.encode(
            "ascii"
        )

    def encode(self, alert: Alert) -> bytes:
        """One result."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def end(self, ending: Ending) -> bytes:
        """The rules of all results, and the run."""
        run: dict[str, Any] = {
            "tool": {
                "driver": {
                    "name": "jwtleak",
                    "version": __version__,
                    "semanticVersion": __version__,
                    "informationUri": _HOME,
                    "rules": [_finished(rule, worst) for rule, worst in self._rules.values()],
                }
            },
            "automationDetails": {"id": "jwtleak/"},
            "columnKind": "unicodeCodePoints",
            "invocations": [_invocation(ending)],
        }
        if self._options.root is not None:
            run["originalUriBaseIds"] = {
                _BASE: {"uri": _file_uri(self._options.root.rstrip("/") + "/")}
            }
        # `begin` opened the run and its results: this closes the list and adds the other members.
        return b"\n]," + encode_json(run)[1:] + b"]}\n"

    def _write(self, found: Facts) -> bytes:
        return encode_json(
            {
                **_suppressions(found),
                "ruleId": found["rule.id"],
                "ruleIndex": self._rule(found),
                # SARIF section 3.27.10: a result of another kind has the level `none`.
                "kind": "fail",
                "level": LEVELS[found["severity"]].sarif,
                "message": {"text": f"{found['title']}."},
                # From 0 to 100, as ECS has its risk score.
                "rank": float(LEVELS[found["severity"]].ecs),
                "occurrenceCount": found.get("sightings.count", 1),
                "locations": [{"physicalLocation": self._place(found), **_member(found)}],
                **_fingerprints(found),
                "properties": {"jwtleak": PROPERTIES.fill(found)},
            }
        )

    def _rule(self, found: Facts) -> int:
        name, severity = found["rule.id"], found["severity"]
        if name not in self._rules:
            self._rules[name] = (_new_rule(found), severity)
        # `min` by position in SEVERITIES, which begins with the worst.
        rule, worst = self._rules[name]
        self._rules[name] = (rule, min(worst, severity, key=SEVERITIES.index))
        # The order of first use is the order in which `end` writes the rules.
        return list(self._rules).index(name)

    def _place(self, found: Facts) -> dict[str, Any]:
        region = {"startLine": found.get("location.line", 1)}
        if "location.column" in found:
            region |= {
                "startColumn": found["location.column"],
                "byteOffset": found["location.offset"],
                "byteLength": found["location.length"],
            }
            # An encoded token may cross lines; the end of a plain one is on its line.
            if "channel.encodings" not in found:
                region["endColumn"] = found["location.column"] + found["location.length"]
        return {
            "artifactLocation": self._artifact(found.get("location.path", "stdin")),
            "region": region,
        }

    def _artifact(self, path: str) -> dict[str, str]:
        # GitHub finds the file of a result by a URI that is relative to the checkout.
        if not path.startswith("/"):
            path = posixpath.normpath(path.strip() or "unnamed")
            if not path.startswith(".."):
                return {"uri": _escaped(path), "uriBaseId": _BASE}
            # A URI below SCANROOT may not climb out of it with `..`.
            path = posixpath.normpath(posixpath.join(self._options.root or "/", path))
        return {"uri": _file_uri(path)}


def _file_uri(path: str) -> str:
    return "file://" + _escaped("/" + path.lstrip("/"))


def _escaped(path: str) -> str:
    """The path part of a URI (RFC 3986 section 3.3). Escapes a colon, which could end a scheme."""
    return "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in path.encode("utf-8")
    )


def _suppressions(found: Facts) -> dict[str, Any]:
    if "suppressed" not in found:
        return {}
    return {
        "suppressions": [
            {"kind": "external", "status": "accepted", "justification": found["suppressed"]}
        ]
    }


def _member(found: Facts) -> dict[str, Any]:
    if "location.member" not in found:
        return {}
    return {
        "logicalLocations": [{"fullyQualifiedName": found["location.member"], "kind": "member"}]
    }


def _fingerprints(found: Facts) -> dict[str, Any]:
    prints: dict[str, Any] = {"fingerprints": {"jwtleakOccurrence/v1": found["id"]}}
    if "token.sha256" in found:
        digest = found["token.sha256"]
        # GitHub matches results of two runs by `primaryLocationLineHash` alone. The token's digest
        # stays the same when its line moves.
        prints["partialFingerprints"] = {
            "primaryLocationLineHash": f"{digest[:16]}:1",
            "jwtleakTokenSha256/v1": digest,
        }
    return prints


def _new_rule(found: Facts) -> dict[str, Any]:
    numbers = levels.cwe_numbers(found.get("references", ()))
    # A name for people beside the id: `JwtUrlQuery` for `jwt.url_query`.
    words = "".join(sign if sign.isalnum() else " " for sign in found["rule.id"]).split()
    return {
        "id": found["rule.id"],
        "name": "".join(word.capitalize() for word in words),
        "shortDescription": {"text": f"{found['rule.name']}."},
        "fullDescription": {
            "text": f"{found['rule.name']}: a credential was written where others can read it."
        },
        "helpUri": levels.cwe_url(numbers[0]) if numbers else _HOME,
        "help": {"text": _HELP},
        "properties": {
            "tags": ["security", *(f"external/cwe/cwe-{number}" for number in numbers)],
            "precision": "high",
        },
    }


def _finished(rule: dict[str, Any], worst: Severity) -> dict[str, Any]:
    """The rule with its severity."""
    # GitHub shows a result with the severity of its rule: the worst of the run counts.
    level = LEVELS[worst]
    properties = {**rule["properties"], "security-severity": level.sarif_score}
    return {**rule, "defaultConfiguration": {"level": level.sarif}, "properties": properties}


def _invocation(ending: Ending) -> dict[str, Any]:
    invocation: dict[str, Any] = {
        "executionSuccessful": ending.complete,
        "startTimeUtc": ending.started_at,
        "endTimeUtc": ending.ended_at,
    }
    # An unread input is not an input without a token: a viewer shows this beside the results.
    if ending.unread:
        text = f"{ending.unread} inputs could not be read whole."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return invocation


def make(options: FormatOptions) -> Sarif:
    """The format with these options."""
    return Sarif(options)
