"""`ecs`: Elastic Common Schema 9.4, one nested JSON object.

Promises: every field outside of `jwtleak.*` and `log.offset` (Filebeat's convention) is an ECS
field of the right type. No array of objects: Wazuh's decoder refuses them. Never `url.original`,
`url.query` or `event.original`: they would hold the line with the token. `message` is a title
without variables: Elastic's rule uses it as a name.
"""

from __future__ import annotations

import posixpath
from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats import levels
from jwtleak.formats.events import EVENT_KINDS, names_of
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.layout import CUSTOM, Field, Layout, encode_json, only_ascii
from jwtleak.formats.levels import LEVELS
from jwtleak.version import __version__

ECS_VERSION = "9.4.0"


def _listed(value: Any) -> list[Any]:
    return [value]


FIELDS = (
    Field("@timestamp", "time", "date"),
    Field("message", "title", "text"),
    Field("event.kind", "action", convert=lambda action: names_of(action).ecs_kind),
    Field("event.action", "action", convert=lambda action: names_of(action).ecs_action),
    Field("event.code", "rule.id"),
    Field("event.id", "id"),
    Field("event.severity", "severity", "long", lambda severity: LEVELS[severity].ecs),
    Field("event.risk_score", "severity", "float", lambda severity: float(LEVELS[severity].ecs)),
    Field("event.created", "detected_at", "date"),
    Field("event.start", "started", "date"),
    Field("event.end", "last_seen", "date"),
    Field("event.reason", "reasons", convert=", ".join),
    Field("rule.id", "rule.id"),
    Field("rule.name", "rule.name"),
    Field("host.name", "location.host"),
    Field("file.path", "location.path"),
    Field("file.name", "location.path", convert=posixpath.basename),
    Field("file.directory", "location.path", convert=posixpath.dirname),
    Field("log.file.path", "location.path"),
    Field("log.offset", "location.offset", "long"),
    Field("container.id", "location.container.id"),
    Field("container.name", "location.container.name"),
    Field("orchestrator.namespace", "location.container.namespace"),
    Field("orchestrator.resource.name", "location.container.pod"),
    Field("orchestrator.resource.id", "location.container.pod_uid"),
    Field("user.hash", "token.subject_hash"),
    Field("related.hash", "token.sha256", convert=_listed),
    Field("related.hosts", "host_again", convert=_listed),
)
# Fields with the same value in every event about a leak, for index templates and pages.
CONSTANTS = tuple(
    Field(target, "")
    for target in (
        "ecs.version",
        "tags",
        "event.module",
        "event.provider",
        "event.dataset",
        "event.category",
        "event.type",
        "data_stream.type",
        "data_stream.dataset",
        "data_stream.namespace",
        "observer.vendor",
        "observer.product",
        "observer.type",
        "observer.version",
        "rule.category",
        "rule.ruleset",
        "rule.reference",
        "orchestrator.type",
        "orchestrator.resource.type",
        "threat.framework",
        "threat.tactic.id",
        "threat.tactic.name",
        "threat.technique.id",
        "threat.technique.name",
        "threat.technique.subtechnique.id",
        "threat.technique.subtechnique.name",
    )
)
_LAYOUT = Layout(FIELDS)
_JWTLEAK = Layout(field._replace(target=f"jwtleak.{field.target}") for field in CUSTOM.fields)

_THREAT = {
    "framework": "MITRE ATT&CK",
    "tactic": {"id": [levels.TACTIC[0]], "name": [levels.TACTIC[1]]},
    "technique": {
        "id": [levels.TECHNIQUE[0]],
        "name": [levels.TECHNIQUE[1]],
        "subtechnique": {"id": [levels.SUBTECHNIQUE[0]], "name": [levels.SUBTECHNIQUE[1]]},
    },
}
_OBSERVER = {
    "vendor": "jwtleak",
    "product": "jwtleak",
    "type": "secret-scanner",
    "version": __version__,
}


class Ecs:
    """Alerts as ECS documents."""

    name = "ecs"
    media_type = "application/json"

    def __init__(self, options: FormatOptions) -> None:
        self._options = options
        self._finish = only_ascii if options.ascii else bytes

    def encode(self, alert: Alert) -> bytes:
        """The document as one line of JSON, without the newline."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def _write(self, found: Facts) -> bytes:
        # By the event, not the action: a suppressed leak keeps its rule and its category.
        kind = EVENT_KINDS[found["event"]]
        tree: dict[str, Any] = {
            # Placeholders: time and message come first for people who read along.
            "@timestamp": None,
            "ecs": {"version": ECS_VERSION},
            "message": None,
            "tags": ["jwtleak", found["event"]] if kind.tagged else ["jwtleak"],
            "event": {"module": "jwtleak", "provider": "jwtleak", "dataset": "jwtleak.alert"},
            "data_stream": {
                "type": "logs",
                "dataset": "jwtleak.alert",
                "namespace": self._options.namespace,
            },
            "observer": _OBSERVER,
        }
        # `event.category` and `rule` drive detection rules: a heartbeat must match none of them.
        if kind.about_token:
            tree["event"] |= {"category": [self._options.category], "type": ["info"]}
            tree["rule"] = {"category": "credential-leak", "ruleset": "jwtleak"}
        if found.get("references"):
            # ECS has one reference a rule; the first is the weakness of the channel.
            for link in levels.links(found["references"])[:1]:
                tree["rule"] = {**tree.get("rule", {}), "reference": link}
        if "attack" in found:
            tree["threat"] = _THREAT
        # Only the kubelet's paths name a pod; a Docker path has a container alone.
        if "location.container.pod" in found:
            tree["orchestrator"] = {"type": "kubernetes", "resource": {"type": "pod"}}
        _LAYOUT.fill(found, tree)
        return self._finish(encode_json(_JWTLEAK.fill(found, tree)))


def make(options: FormatOptions) -> Ecs:
    """The format with these options."""
    return Ecs(options)
