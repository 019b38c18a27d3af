"""`ocsf`: Open Cybersecurity Schema Framework 1.8 (or 1.7), class Detection Finding (2004) or Data
Security Finding (2006).

Promises: only fields of the schema; facts without one are under `unmapped`, which the schema
provides for them. `time` is the time of detection, or that of the log line where `timestamp` says
so. Times are Unix milliseconds.
"""

from __future__ import annotations

import posixpath
from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats import levels
from jwtleak.formats.events import names_of
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.layout import CUSTOM, Field, Layout, encode_json, milliseconds, only_ascii
from jwtleak.formats.levels import CONFIDENCES, LEVELS
from jwtleak.version import __version__

_CLASSES = {2004: "Detection Finding", 2006: "Data Security Finding"}
_NEW, _SUPPRESSED = {"status_id": 1, "status": "New"}, {"status_id": 3, "status": "Suppressed"}

FIELDS = (
    Field("time", "time", "date", milliseconds),
    Field("start_time", "started", "date", milliseconds),
    Field("end_time", "last_seen", "date", milliseconds),
    Field("severity_id", "severity", "long", lambda severity: LEVELS[severity].ocsf),
    Field("severity", "severity", convert=lambda severity: LEVELS[severity].ocsf_name),
    Field("confidence_id", "confidence", "long", lambda confidence: CONFIDENCES[confidence][0]),
    Field("confidence", "confidence", convert=lambda confidence: CONFIDENCES[confidence][1]),
    Field("count", "sightings.count", "long"),
    Field("message", "title", "text"),
    Field("status_detail", "reasons", convert=", ".join),
    Field("metadata.uid", "id"),
    Field("metadata.log_name", "location.path"),
    Field("metadata.event_code", "rule.id"),
    Field("metadata.logged_time", "detected_at", "date", milliseconds),
    Field("metadata.original_time", "logged_at"),
    Field("metadata.is_truncated", "truncated", "boolean"),
    Field("finding_info.uid", "id"),
    Field("finding_info.title", "title"),
    Field("finding_info.desc", "rule.name"),
    Field("finding_info.created_time", "detected_at", "date", milliseconds),
    Field("finding_info.first_seen_time", "started", "date", milliseconds),
    Field("finding_info.last_seen_time", "last_seen", "date", milliseconds),
    Field("finding_info.data_sources", "location.path", convert=lambda path: [path]),
    Field(
        "finding_info.related_events",
        "supersedes",
        convert=lambda uid: [{"uid": uid, "type": "superseded"}],
    ),
    Field("finding_info.analytic.name", "rule.name"),
    Field("finding_info.analytic.uid", "rule.id"),
)
_LAYOUT = Layout(FIELDS)
FILE = Layout(
    (
        Field("path", "location.path"),
        # `basename` of a path that ends in a slash is empty; the schema requires a name.
        Field("name", "location.path", convert=lambda path: posixpath.basename(path) or path),
    )
)
CONTAINER = Layout(
    (Field("uid", "location.container.id"), Field("name", "location.container.name"))
)
POD = Layout(
    (
        Field("name", "location.container.pod"),
        Field("uid", "location.container.pod_uid"),
        Field("namespace", "location.container.namespace"),
    )
)
_DATA = Layout(
    field
    for field in CUSTOM.fields
    if field.source.startswith(("location.", "channel.")) or field.target in ("redacted", "excerpt")
)
_UNMAPPED = Layout(
    field._replace(target=f"unmapped.jwtleak.{field.target}") for field in CUSTOM.fields
)
_ATTACKS = [
    {
        "version": levels.ATTACK_VERSION,
        "tactic": dict(zip(("uid", "name"), levels.TACTIC, strict=True)),
        "technique": dict(zip(("uid", "name"), levels.TECHNIQUE, strict=True)),
        "sub_technique": dict(zip(("uid", "name"), levels.SUBTECHNIQUE, strict=True)),
    }
]


class Ocsf:
    """Alerts as OCSF findings."""

    name = "ocsf"
    media_type = "application/json"

    def __init__(self, options: FormatOptions) -> None:
        self._options = options
        self._class = options.ocsf_class
        self._finish = only_ascii if options.ascii else bytes

    def encode(self, alert: Alert) -> bytes:
        """The finding as one line of JSON, without the newline."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def _write(self, found: Facts) -> bytes:
        # The head first, so that the class and the activity lead the document; the layout then adds
        # to the same objects (`metadata`, `finding_info`).
        tree = self._head(found)
        _LAYOUT.fill(found, tree)
        if "attack" in found:
            tree["finding_info"]["attacks"] = _ATTACKS
        # The two classes differ in where the place goes: evidences of a detection, or the file of
        # a data security finding.
        if self._class == 2004:
            self._detection(tree, found)
        else:
            self._data_security(tree, found)
        # Empty lists would claim that there is no resource; an absent one says nothing.
        tree |= {
            name: value
            for name, value in (
                ("resources", _resources(found)),
                ("observables", self._observables(found)),
            )
            if value
        }
        return self._finish(encode_json(_UNMAPPED.fill(found, tree)))

    def _head(self, found: Facts) -> dict[str, Any]:
        kind = names_of(found["action"])
        activity, activity_name = kind.ocsf_activity, kind.ocsf_activity_name
        head: dict[str, Any] = {
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": self._class,
            "class_name": _CLASSES[self._class],
            "activity_id": activity,
            "activity_name": activity_name,
            # By definition of the schema: the class times 100 plus the activity.
            "type_uid": self._class * 100 + activity,
            "type_name": f"{_CLASSES[self._class]}: {activity_name if activity != 99 else 'Other'}",
            "is_alert": kind.ocsf_is_alert,
            "metadata": {
                "version": self._options.ocsf_version,
                "product": {"name": "jwtleak", "vendor_name": "jwtleak", "version": __version__},
            },
            "finding_info": {
                "types": ["Leaked credential"],
                "analytic": {"type_id": 1, "type": "Rule"},
            },
        }
        # `status` describes a finding that is created: an update or a heartbeat has none.
        if activity == 1:
            head |= _SUPPRESSED if found["action"] == "suppressed" else _NEW
        return head

    def _detection(self, tree: dict[str, Any], found: Facts) -> None:
        # One evidence for the alert: sightings are counted, not listed, so its size is bounded.
        evidence: dict[str, Any] = {"name": "Redacted token occurrence", "data": _DATA.fill(found)}
        if "location.path" in found:
            evidence["file"] = {**FILE.fill(found), "type_id": 1, "type": "Regular File"}
        container = CONTAINER.fill(found)
        if container:
            pod = {"orchestrator": "kubernetes"} if "location.container.pod" in found else {}
            evidence["container"] = {**container, **pod}
        tree["evidences"] = [evidence]
        if "advice" in found:
            links = levels.links(found.get("references", ()))
            tree["remediation"] = {
                "desc": ". ".join(found["advice"]),
                **({"references": links} if links else {}),
            }

    def _data_security(self, tree: dict[str, Any], found: Facts) -> None:
        tree["data_security"] = {
            "detection_system_id": 4,
            "detection_system": "Data Discovery & Classification",
            "data_lifecycle_state_id": 1,
            "detection_pattern": found["rule.id"],
        }
        if "location.path" in found:
            tree["file"] = {**FILE.fill(found), "type_id": 1, "type": "Regular File"}

    def _observables(self, found: Facts) -> list[dict[str, Any]]:
        # An observable names the field that holds its value, for searches by the value.
        path = "evidences[].file.path" if self._class == 2004 else "file.path"
        known = (
            (path, 45, "File Path", "location.path"),
            ("resources[].name", 1, "Hostname", "host_again"),
            ("unmapped.jwtleak.fingerprint", 8, "Hash", "token.sha256"),
        )
        return [
            {"name": name, "type_id": number, "type": kind, "value": found[source]}
            for name, number, kind, source in known
            if source in found
        ]


def _resources(found: Facts) -> list[dict[str, Any]]:
    resources = []
    if "location.host" in found:
        host = found["location.host"]
        # The name is also the `uid`: an alert has no other id of the host.
        resources.append({"name": host, "uid": host, "type": "Host"})
    pod = POD.fill(found)
    if "name" in pod or "uid" in pod:
        resources.append({**pod, "type": "Pod"})
    return resources


def make(options: FormatOptions) -> Ocsf:
    """The format with these options."""
    return Ocsf(options)
