"""SARIF, as far as it can be checked without Microsoft's validator (see tests/npm)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from sample_alerts import alerts, full, hostile, kept_back, least, leaves, pattern_hit

from jwtleak.formats.interface import Ending, FormatOptions
from jwtleak.formats.sarif import make

ENDING = Ending("2026-01-15T12:00:00.000Z", "2026-01-15T12:00:05.000Z")


def document(samples, ending=ENDING, **options):
    """The document of these alerts."""
    sarif = make(FormatOptions(**options))
    return json.loads(
        sarif.begin() + sarif.between.join(sarif.encode(one) for one in samples) + sarif.end(ending)
    )


def at(path, **more):
    """An alert from that path."""
    return full(location=replace(full().location, path=path, **more))


def uris(*paths, **options):
    """The artifact locations of alerts from these paths."""
    (run,) = document([at(path) for path in paths], **options)["runs"]
    return [one["locations"][0]["physicalLocation"]["artifactLocation"] for one in run["results"]]


def test_an_empty_scan_is_a_document():
    """Without results there is a run that says so."""
    (run,) = document([])["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
    assert run["invocations"][0]["executionSuccessful"] is True


def test_results_name_their_rules():
    """Each rule stands once, results point at it, and its severity is the worst that was met."""
    samples = [full(severity="low"), least(), full(severity="critical"), pattern_hit()]
    (run,) = document(samples)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [one["id"] for one in rules] == ["jwt.url_query", "jwt.unknown", "pattern.acme-key"]
    assert [one["ruleIndex"] for one in run["results"]] == [0, 1, 0, 2]
    assert [one["level"] for one in run["results"]] == ["note", "note", "error", "note"]
    assert rules[0]["properties"]["security-severity"] == "9.5"
    assert rules[0]["defaultConfiguration"]["level"] == "error"
    assert rules[0]["properties"]["tags"] == [
        "security",
        "external/cwe/cwe-598",
        "external/cwe/cwe-532",
    ]
    assert rules[2]["name"] == "PatternAcmeKey"


def test_a_result():
    """Place, fingerprints and the facts that SARIF has no name for."""
    (run,) = document([full(channel=replace(full().channel, encodings=()))])["runs"]
    (result,) = run["results"]
    place = result["locations"][0]
    assert place["physicalLocation"]["region"] == {
        "startLine": 48213,
        "startColumn": 41,
        "endColumn": 281,
        "byteOffset": 9120457,
        "byteLength": 240,
    }
    assert place["logicalLocations"] == [
        {"fullyQualifiedName": "2026/01/access.log", "kind": "member"}
    ]
    assert result["fingerprints"]["jwtleakOccurrence/v1"] == full().id
    assert result["partialFingerprints"]["jwtleakTokenSha256/v1"] == full().token.sha256
    assert result["properties"]["jwtleak"]["jwt"]["kid"] == "prod-2025-11"
    assert (result["occurrenceCount"], result["level"], result["kind"]) == (17, "error", "fail")


def test_what_is_kept_back_is_suppressed():
    """A leak that a policy keeps back is a result with a suppression."""
    (run,) = document([kept_back(), full()])["runs"]
    first, second = run["results"]
    assert first["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "public by design"}
    ]
    assert "suppressions" not in second


def test_an_encoded_token_may_end_on_another_line():
    """Only a plain token has an end column."""
    (run,) = document([full()])["runs"]
    assert "endColumn" not in run["results"][0]["locations"][0]["physicalLocation"]["region"]


def test_paths_become_uris():
    """Relative paths stay below the root, absolute ones and those above it become file URIs; signs
    are escaped.
    """
    found = uris(
        "a/b.log", "./c d.log", "/var/log/x%y.log", "../up.log", "c:d.log", "é", root="/srv/logs"
    )
    base = "SCANROOT"
    assert found == [
        {"uri": "a/b.log", "uriBaseId": base},
        {"uri": "c%20d.log", "uriBaseId": base},
        {"uri": "file:///var/log/x%25y.log"},
        {"uri": "file:///srv/up.log"},
        {"uri": "c%3Ad.log", "uriBaseId": base},
        {"uri": "%C3%A9", "uriBaseId": base},
    ]
    assert uris("//x", "", "../../../../a", root="/r") == [
        {"uri": "file:///x"},
        {"uri": "unnamed", "uriBaseId": base},
        {"uri": "file:///a"},
    ]
    (run,) = document([least()], root="/srv/logs")["runs"]
    assert run["originalUriBaseIds"] == {base: {"uri": "file:///srv/logs/"}}
    assert (
        run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "stdin"
    )


def test_a_broken_scan_says_so():
    """An interrupted scan was not successful; inputs that could not be read are a notification."""
    (run,) = document(
        [full()], Ending(ENDING.started_at, ENDING.ended_at, complete=False, unread=3)
    )["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert (
        invocation["toolExecutionNotifications"][0]["message"]["text"]
        == "3 inputs could not be read whole."
    )


def test_hostile_texts_make_a_document():
    """Nothing that a log holds breaks the document, and nothing of a line gets into it as a
    snippet.
    """
    text = json.dumps(document([alert for _, alert in hostile()], root="/r"))
    for name in ("snippet", "contextRegion", "contents", "commandLine", "environmentVariables"):
        assert f'"{name}"' not in text


@given(alerts())
@settings(max_examples=60, deadline=None)
def test_any_alert_has_a_uri_in_ascii(alert):
    """Whatever the path, the URI is not empty and holds what a URI may hold."""
    (run,) = document([alert])["runs"]
    for path, value in leaves(run["results"][0]["locations"]):
        if path.endswith(".uri"):
            assert value
            assert value.isascii()
            assert not set(value) & set(' "<>\\^`{|}')


@pytest.mark.parametrize("path", ["a/../../b", "..", "../..", "./.."])
def test_no_relative_uri_goes_up(path):
    """A relative URI stays below its base."""
    (found,) = uris(path, root="/a/b")
    assert "uriBaseId" not in found
    assert ".." not in found["uri"]
