"""ECS documents against Elastic's own list of fields, types and allowed values."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path

import pytest
from sample_alerts import EVENTS, full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.interface import FormatOptions, by_name

pytestmark = pytest.mark.npm


def checked(packages, documents):
    """The problems of each document."""
    lines = "\n".join(json.dumps(one) for one in documents)
    command = ["node", str(Path(__file__).parent / "check_ecs.js"), str(packages)]
    done = subprocess.run(command, input=lines.encode(), capture_output=True, check=True)
    return json.loads(done.stdout)


def written(alert, **options):
    """The document."""
    return json.loads(by_name("ecs", FormatOptions(**options)).encode(alert))


def test_all_documents_are_valid(packages):
    """Every event, the fullest and the least alert, hits of patterns, hostile texts, both
    categories, any size.
    """
    samples = [
        *(full(event=event) for event in EVENTS),
        *(least(event=event) for event in EVENTS),
        pattern_hit(),
        kept_back(),
    ]
    documents = [written(one) for one in (*samples, *(alert for _, alert in hostile()))]
    documents += [
        written(full(), category="intrusion_detection"),
        written(full(), timestamp="event"),
    ]
    documents += [written(full(), max_bytes=size) for size in range(500, 4000, 250)]
    assert checked(packages, documents) == [[]] * len(documents)


def put(path, value):
    """A change of one field; None takes it away."""

    def change(document):
        *above, name = path.split(".")
        for one in above:
            document = document.setdefault(one, {})
        if value is None:
            del document[name]
        else:
            document[name] = value

    return change


CHANGES = [
    put("@timestamp", None),
    put("@timestamp", "yesterday"),
    put("ecs.version", None),
    put("ecs.version", "8.0.0"),
    put("event.category", "vulnerability"),
    put("event.category", ["vulnerabilities"]),
    put("event.type", ["denied"]),
    put("event.kind", "finding"),
    put("event.severity", "high"),
    put("event.severity", 73.5),
    put("event.id", 1),
    put("host.name", ["a"]),
    put("log.origin.line", 1),
    put("extra", "x"),
    put("rule.severity", "x"),
    put("related.hash", "x"),
    put("file.path", "p" * 1025),
    put("event.risk_score", "80"),
    put("threat.technique.id", "T1552"),
    put("source.ip", "nowhere"),
]


def test_mutations_are_found(packages):
    """Each change of one field is found, and in that document alone."""
    documents = [written(full())]
    for change in CHANGES:
        documents.append(copy.deepcopy(documents[0]))
        change(documents[-1])
    good, *bad = checked(packages, documents)
    assert good == []
    assert [number for number, problems in enumerate(bad) if not problems] == []
