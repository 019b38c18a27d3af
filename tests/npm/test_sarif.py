"""SARIF documents against Microsoft's validator with GitHub's rules. Its exit status is 0 whatever
it finds.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess

import jsonschema
import pytest
from sample_alerts import full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.interface import Ending, FormatOptions, document

pytestmark = pytest.mark.npm

ENDING = Ending("2026-01-15T12:00:00.000Z", "2026-01-15T12:00:05.000Z", complete=False, unread=2)


def written(*samples):
    """The document of these alerts."""
    sarif = document("sarif", FormatOptions(root="/srv/logs"))
    return json.loads(
        sarif.begin() + sarif.between.join(sarif.encode(one) for one in samples) + sarif.end(ENDING)
    )


@pytest.fixture
def schema(packages):
    """The JSON Schema that the validator ships: the validator itself passes over wrong
    enumerations.
    """
    (path,) = (packages / "node_modules/@microsoft").glob("sarif-multitool-*/sarif-2.1.0.json")
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8-sig")))


@pytest.fixture
def validate(packages, schema, tmp_path):
    """What schema and validator say of a document. One at a time: what one document breaks ends the
    validator's run.
    """

    def validate(document):
        problems = [error.json_path for error in schema.iter_errors(document)]
        if problems:
            return problems
        (tmp_path / "in.sarif").write_text(json.dumps(document))
        (tool,) = (packages / "node_modules/@microsoft").glob("sarif-multitool-*/Sarif.Multitool")
        command = [
            str(tool),
            "validate",
            "in.sarif",
            "--output",
            "out.json",
            "--log",
            "ForceOverwrite",
        ]
        environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
        subprocess.run(
            [*command, "--rule-kind", "Sarif;Ghas"],
            cwd=tmp_path,
            capture_output=True,
            check=True,
            env=environment,
            timeout=120,
        )
        (run,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8-sig"))["runs"]
        assert run["invocations"][0]["executionSuccessful"] is True
        return [
            one["ruleId"]
            for one in run["results"]
            if one.get("level", "warning") in ("error", "warning")
        ]

    return validate


def test_documents_are_valid(validate):
    """Of no alert, of alerts of all sorts, of hostile ones: no error and no warning."""
    assert validate(written()) == []
    assert (
        validate(
            written(
                full(),
                full(event="test"),
                least(),
                pattern_hit(),
                kept_back(),
                full(severity="critical"),
            )
        )
        == []
    )
    assert validate(written(*(one for _, one in hostile()))) == []


def first(document):
    """The first result."""
    return document["runs"][0]["results"][0]


CHANGES = [
    lambda one: one.pop("$schema"),
    lambda one: one.update(version="2.0.0"),
    lambda one: one["runs"][0].pop("tool"),
    lambda one: one["runs"][0]["tool"]["driver"].pop("rules"),
    lambda one: first(one).pop("message"),
    lambda one: first(one).update(extra=1),
    lambda one: first(one).update(level="critical"),
    lambda one: first(one).update(ruleIndex=99),
    lambda one: first(one).pop("locations"),
    lambda one: first(one)["locations"][0]["physicalLocation"].pop("artifactLocation"),
    lambda one: first(one)["locations"][0]["physicalLocation"]["region"].update(startLine=0),
    lambda one: first(one)["locations"][0]["physicalLocation"]["region"].update(endColumn=1),
    lambda one: first(one)["locations"][0]["physicalLocation"]["artifactLocation"].update(
        uri="a b\\c"
    ),
    lambda one: one["runs"][0]["invocations"][0].pop("executionSuccessful"),
]


def test_mutations_are_found(validate):
    """Each change is an error or a warning, and in that document alone."""
    good = written(full())
    missed = []
    for number, change in enumerate(CHANGES):
        broken = copy.deepcopy(good)
        change(broken)
        missed += [] if validate(broken) else [number]
    assert validate(good) == []
    assert missed == []
