"""`gitlab`: one GitLab secret detection report of a scan (schema 15.0.4).

Promises: texts that the author of a log chose are only in fields that GitLab shows as raw text
(`details`) or as a path, never in Markdown. `raw_source_code_extract` is absent: it would hold the
token. Times have no zone and no fraction, as the schema requires.
"""

from __future__ import annotations

from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats import levels
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import Ending, FormatOptions
from jwtleak.formats.layout import CUSTOM, encode_json
from jwtleak.formats.levels import LEVELS
from jwtleak.version import __version__

SCHEMA_VERSION = "15.0.4"
_TOOL = {"id": "jwtleak", "name": "jwtleak", "version": __version__, "vendor": {"name": "jwtleak"}}
# The schema requires a commit.
_NO_COMMIT = "0000000"
_MAX_NAME = 255
DETAILS = tuple(
    [(field.target.replace(".", "_"), field.source, field.convert) for field in CUSTOM.fields]
    + [("host", "location.host", None), ("rule", "rule.name", None)]
    + [
        (f"container_{name}", f"location.container.{name}", None)
        for name in ("namespace", "pod", "pod_uid", "name", "id")
    ]
)


class Gitlab:
    """Alerts as the vulnerabilities of one report."""

    name = "gitlab"
    media_type = "application/json"
    between = b",\n"
    repeats = False

    def __init__(self, options: FormatOptions) -> None:
        self._options = options

    def begin(self) -> bytes:
        """Up to the first vulnerability."""
        return b'{"version":"%s","vulnerabilities":[\n' % SCHEMA_VERSION.encode("ascii")

    def encode(self, alert: Alert) -> bytes:
        """One vulnerability."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def end(self, ending: Ending) -> bytes:
        """The scan."""
        scan: dict[str, Any] = {
            "analyzer": _TOOL,
            "scanner": _TOOL,
            "type": "secret_detection",
            "status": "success" if ending.complete else "failure",
            # Up to the seconds: the schema's pattern has neither fraction nor zone.
            "start_time": ending.started_at[:19],
            "end_time": ending.ended_at[:19],
        }
        if ending.unread:
            scan["messages"] = [
                {"level": "warn", "value": f"{ending.unread} inputs could not be read whole"}
            ]
        # `begin` opened the list: the scan follows it, since only now its end is known.
        return b'\n],"scan":' + encode_json(scan) + b"}\n"

    def _write(self, found: Facts) -> bytes:
        # An event about no token has no line, and the schema requires a positive number.
        line = found.get("location.line", 1)
        vulnerability = {
            "id": found["id"],
            # GitLab renders `name`, `description`, `solution` and the identifiers as Markdown: only
            # texts of jwtleak and of pattern files are in them, never one from a log.
            "name": found["rule.name"][:_MAX_NAME],
            "description": f"{found['title']}. The token itself is not in this report.",
            "severity": LEVELS[found["severity"]].gitlab,
            "identifiers": [
                {
                    "type": "jwtleak_rule_id",
                    "name": f"jwtleak rule {found['rule.id']}",
                    "value": found["rule.id"],
                },
                *(_weakness(number) for number in levels.cwe_numbers(found.get("references", ()))),
            ],
            "location": {
                "file": found.get("location.path", "stdin"),
                "start_line": line,
                "end_line": line,
                "commit": {"sha": _NO_COMMIT},
            },
            "details": dict(_details(found)),
        }
        # Reported with a flag and not left out: the report of a scan is complete.
        if "suppressed" in found:
            flag = {"type": "flagged-as-likely-false-positive", "origin": "jwtleak"}
            vulnerability["flags"] = [
                {**flag, "description": "kept back by the policy: see the detail `suppressed`"}
            ]
        if "advice" in found:
            vulnerability["solution"] = ". ".join(found["advice"])
        return encode_json(vulnerability)


def _weakness(number: str) -> dict[str, str]:
    return {"type": "cwe", "name": f"CWE-{number}", "value": number, "url": levels.cwe_url(number)}


def _details(found: Facts) -> list[tuple[str, dict[str, Any]]]:
    details = []
    for name, source, convert in DETAILS:
        if source in found:
            value = found[source] if convert is None else convert(found[source])
            # `text` holds a string, which GitLab shows raw; numbers and booleans are a `value`.
            text = ", ".join(value) if isinstance(value, list) else value
            kind = "text" if isinstance(text, str) else "value"
            details.append((name, {"name": name, "type": kind, "value": text}))
    return details


def make(options: FormatOptions) -> Gitlab:
    """The format with these options."""
    return Gitlab(options)
