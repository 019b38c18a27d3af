"""docs/integrations: what is given to receivers fits what the program writes. Nothing of it is run
here.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from configparser import RawConfigParser
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from sample_alerts import EVENTS, full, kept_back, least, leaves, pattern_hit

from jwtleak.formats.cef import DETAILS, KEYS
from jwtleak.formats.interface import by_name
from jwtleak.formats.levels import LEVELS
from jwtleak.types import SEVERITIES, ChannelType, Status

HERE = Path(__file__).resolve().parents[2] / "docs/integrations"
PYTHON = {
    "keyword": str,
    "match_only_text": str,
    "date": str,
    "long": int,
    "float": float,
    "boolean": bool,
}
STREAM, PIPELINE = "logs-jwtleak.alert-default", "jwtleak@ingested"


def read(name: str) -> str:
    """A file of docs/integrations."""
    return (HERE / name).read_text(encoding="utf-8")


def event(alert: Any = None, **changes: Any) -> dict[str, Any]:
    """An alert in ECS."""
    found: dict[str, Any] = json.loads(by_name("ecs").encode(alert or full(**changes)))
    return found


@lru_cache(maxsize=1)
def written() -> dict[str, list[Any]]:
    """Every field that the program writes in ECS, with its values."""
    fields: dict[str, list[Any]] = {}
    for alert in (*(full(event=kind) for kind in EVENTS), least(), pattern_hit(), kept_back()):
        for path, value in leaves(event(alert)):
            fields.setdefault(path, []).append(value)
    return fields


def mapped() -> dict[str, str]:
    """The type of every field in Elasticsearch's mappings."""

    def walk(properties: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
        for name, one in properties.items():
            yield from (
                walk(one["properties"], f"{prefix}{name}.")
                if "properties" in one
                else [(prefix + name, one["type"])]
            )

    return dict(
        walk(
            json.loads(read("elastic/component-template.json"))["template"]["mappings"][
                "properties"
            ],
            "",
        )
    )


def test_every_file_is_named_in_a_page() -> None:
    """No file of docs/integrations is there for nobody: a page links to it or to its directory."""
    links = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in HERE.glob("*.md")
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    }
    files = [path for path in HERE.rglob("*") if path.is_file() and path.name != "README.md"]
    assert [str(one.relative_to(HERE)) for one in files if not {one, *one.parents} & links] == []


# --- Elastic


def test_mappings_are_made_from_the_code(load: Any) -> None:
    """Writing the component template anew changes nothing: if this fails, run `python
    docs/generate.py`.
    """
    for name, make in load("docs/generate.py").FILES.items():
        assert (HERE.parents[1] / name).read_text(encoding="utf-8") == make()


def test_mappings_have_every_field_that_is_written_in_its_type() -> None:
    """Each written field is mapped, each mapped one is written (but for that of the pipeline), and
    values fit types.
    """
    types = mapped()
    assert set(types) - set(written()) == {"event.ingested"}
    for path, values in written().items():
        assert all(type(value) is PYTHON[types[path]] for value in values), path


def test_templates_name_each_other() -> None:
    """The index template takes the component and the pipeline under the names that the page gives
    them.
    """
    template, page = json.loads(read("elastic/index-template.json")), read("elastic.md")
    assert re.fullmatch(template["index_patterns"][0].replace("*", ".*"), STREAM)
    assert f"_component_template/{template['composed_of'][0]}" in page
    assert template["template"]["settings"]["index.default_pipeline"] == PIPELINE
    assert f"_ingest/pipeline/{PIPELINE}" in page
    (first,) = json.loads(read("elastic/ingest-pipeline.json"))["processors"]
    assert first["set"]["field"] == "event.ingested"


def test_detection_rules() -> None:
    """Queries name mapped fields and written values; severities are those of the scale."""
    first, second = (
        json.loads(line) for line in read("elastic/detection-rules.ndjson").splitlines()
    )
    mapping = {int(one["value"]): one["severity"] for one in first["severity_mapping"]}
    assert mapping == {LEVELS[one].ecs: one for one in SEVERITIES if one != "info"}
    assert {first["timestamp_override"], second["timestamp_override"]} == {"event.ingested"}
    grouped = [
        first["rule_name_override"],
        *first["alert_suppression"]["group_by"],
        *second["threshold"]["field"],
    ]
    assert set(grouped + [one["field"] for one in second["threshold"]["cardinality"]]) <= set(
        written()
    )
    for rule in (first, second):
        for field, values in re.findall(r"([\w.]+) : (\([^)]*\)|\"[^\"]*\")", rule["query"]):
            assert set(re.findall(r'"([^"]*)"', values)) <= {*written()[field], "no_expiry"}


# --- Splunk


def conf(name: str) -> RawConfigParser:
    """A file of the add-on."""
    parser = RawConfigParser(strict=True, comment_prefixes=("#",), delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(read(f"splunk/TA-jwtleak/default/{name}"))
    return parser


def test_splunk_fields_exist() -> None:
    """Each field that the add-on reads is written; lists are read as lists."""
    lists = {path for path in written() if isinstance(at(event(), path), list)}
    props = dict(conf("props.conf")["jwtleak:alert"])
    names = [
        value.strip("'") for key, value in props.items() if key.startswith("EVAL-") and "'" in value
    ]
    assert len(names) > 8
    assert {name.removesuffix("{}") for name in names} <= set(written())
    assert all(name.endswith("{}") == (name.removesuffix("{}") in lists) for name in names)
    for searches in (conf("savedsearches.conf"), conf("eventtypes.conf")):
        for section in searches.sections():
            for field, value in re.findall(
                r'"([\w]+\.[\w.]+)"="([^"]+)"', searches[section]["search"]
            ):
                assert value in written()[field]


def at(tree: Any, path: str) -> Any:
    """The value at a dotted path."""
    for name in path.split("."):
        tree = tree.get(name, {})
    return tree


def test_splunk_severities() -> None:
    """The lookup has the scale of the Common Information Model."""
    rows = list(csv.DictReader(read("splunk/TA-jwtleak/lookups/jwtleak_severity.csv").splitlines()))
    assert {(int(row["event_severity"]), row["severity"]) for row in rows} == {
        (one.ecs, one.cim) for one in LEVELS.values()
    }
    assert dict(conf("transforms.conf")["jwtleak_severity"])["filename"] == "jwtleak_severity.csv"


@pytest.mark.parametrize("head", ["", "1234 "])
@pytest.mark.parametrize("data", ["-", '[jwtleak@32473 id="5c86" file="a\\]b\\" {c" line="1"]'])
def test_splunk_takes_the_syslog_head_off(head: str, data: str) -> None:
    """What is left of an RFC 5424 message, framed or not, is the JSON; the time stands where the
    add-on looks.
    """
    props = conf("props.conf")["jwtleak:syslog"]
    _, pattern, replacement, _ = props["SEDCMD-jwtleak_head"].split("/")
    body = json.dumps(event(), separators=(",", ":"))
    line = f"{head}<108>1 2026-01-15T12:02:31.123Z web-01 jwtleak - jwt.url_query {data} {body}"
    assert re.sub(pattern, replacement, line, count=1) == body
    found = re.search(props["TIME_PREFIX"], body)
    assert found is not None
    assert body[found.end() :].startswith(full().detected_at)


# --- Wazuh


def wazuh(document: dict[str, Any]) -> int:
    """The level that the rules give to an event: that of the last rule that matches below the ones
    that matched.
    """
    matched: dict[str, int] = {}
    for rule in ElementTree.fromstring(read("wazuh/jwtleak_rules.xml")).iter("rule"):
        parent = rule.findtext("if_sid")
        fields = [(one.get("name") or "", one.text or "") for one in rule.iter("field")]
        if (parent is None or parent in matched) and all(
            re.search(text, str(at(document, name))) for name, text in fields
        ):
            matched[rule.get("id") or ""] = int(rule.get("level") or 0)
    return list(matched.values())[-1] if matched else -1


def test_wazuh_levels() -> None:
    """Severities have the levels that the page states; repeats, tests and other programs' events
    are no such alerts.
    """
    stated = dict(re.findall(r"^\| (\w+) \| (\d+) \|$", read("wazuh.md"), re.MULTILINE))
    assert {one: wazuh(event(severity=one)) for one in SEVERITIES} == {
        one: int(stated[one]) for one in SEVERITIES
    }
    assert [wazuh(event(event=kind)) for kind in ("repeat", "test", "heartbeat")] == [2, 3, 0]
    assert wazuh({"event": {"module": "other"}}) == -1


def test_wazuh_rules_are_sound() -> None:
    """Ids are unique and above 100,000, and what descriptions name is written."""
    rules = list(ElementTree.fromstring(read("wazuh/jwtleak_rules.xml")).iter("rule"))
    ids = [int(rule.get("id") or 0) for rule in rules]
    assert len(set(ids)) == len(ids)
    assert min(ids) >= 100_000
    assert set(re.findall(r"\$\(([\w.]+)\)", read("wazuh/jwtleak_rules.xml"))) <= set(written())
    assert (
        ElementTree.fromstring(read("wazuh/localfile.xml")).findtext("localfile/log_format")
        == "json"
    )


# --- Sentinel, Sigma, Grafana, the runbook


def test_sentinel_reads_what_cef_writes() -> None:
    """The template holds the query of the file; its columns are those of keys that are written,
    with their meaning.
    """
    template, query = json.loads(read("sentinel/live-token.json")), read("sentinel/live-token.kql")
    assert template["resources"][0]["properties"]["query"] == query.strip()
    labels = {one.key: one.label for one in KEYS} | {"cs5": "details"}
    columns = {f"cs{number}": f"DeviceCustomString{number}" for number in range(1, 6)} | {
        "flexString1": "FlexString1"
    }
    assert [labels[key] for key in columns] == [
        "jwtFingerprint",
        "leakChannel",
        "jwtIss",
        "jwtAud",
        "details",
        "jwtStatus",
    ]
    assert all(column in query for column in columns.values())
    assert "jwt.provider" in {one.target for one in DETAILS.fields}
    assert set(re.findall(r'"(live|no_expiry)"', query)) <= set(Status.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", sorted((HERE / "sigma").glob("jwt*.yml")), ids=lambda path: path.name
)
def test_sigma_rules(path: Path) -> None:
    """Selections name written fields and values, and correlations rules that are there."""
    rules = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    names = {one.get("name") for one in rules}
    for rule in rules:
        if "correlation" in rule:
            fields = [
                *rule["correlation"]["group-by"],
                *filter(None, [rule["correlation"]["condition"].get("field")]),
            ]
            assert set(fields) <= set(written())
            assert set(rule["correlation"]["rules"]) <= names
            continue
        for field, values in rule["detection"]["selection"].items():
            known = {*written()[field], *ChannelType.__args__, *Status.__args__, "unsecured"}  # type: ignore[attr-defined]
            assert {values} <= known if isinstance(values, str) else set(values) <= known


def test_grafana_names_metrics_that_exist() -> None:
    """Dashboard and alert rules ask for metrics that the program declares."""
    texts = read("grafana/dashboard.json") + json.dumps(
        yaml.safe_load(read("grafana/alert-rules.yaml"))
    )
    assert len(json.loads(read("grafana/dashboard.json"))["panels"]) == 10
    asked = set(re.findall(r"\bjwtleak_(?!line|channel)[a-z_]+", texts))
    metrics = pytest.importorskip("jwtleak.runtime.service.metrics", reason="the daemon's metrics")
    declared = {one.name for one in vars(metrics).values() if type(one).__name__ == "Metric"}
    assert len(asked) > 8
    assert asked <= declared


def test_the_runbook_knows_every_channel_and_status() -> None:
    """Whatever an alert says, the runbook says what to do."""
    text = read("runbook.md")
    for word in (*Status.__args__, *ChannelType.__args__, *SEVERITIES):  # type: ignore[attr-defined]
        assert word == "unknown" or re.search(rf"\b{word}\b", text), word


# --- recipes


def test_recipes_are_well_formed() -> None:
    """YAML and TOML can be read."""
    for path in (HERE / "recipes").iterdir():
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".yaml", ".yml"):
            assert isinstance(yaml.safe_load(text), dict)
        if path.suffix == ".toml":
            assert tomllib.loads(text)["sink"]


def test_recipes_send_to_the_same_place() -> None:
    """Data stream, pipeline, file and document id are the same everywhere."""
    vector = yaml.safe_load(read("recipes/vector.yaml"))["sinks"]["elastic"]
    assert (
        "-".join(vector["data_stream"][name] for name in ("type", "dataset", "namespace")) == STREAM
    )
    assert (
        "-".join(event()["data_stream"][name] for name in ("type", "dataset", "namespace"))
        == STREAM
    )
    (fluent,) = yaml.safe_load(read("recipes/fluent-bit.yaml"))["pipeline"]["outputs"]
    (filebeat,) = yaml.safe_load(read("recipes/filebeat.yml"))["filebeat.inputs"]
    assert (vector["pipeline"], fluent["pipeline"], filebeat["pipeline"]) == (PIPELINE,) * 3
    assert (fluent["index"], filebeat["index"]) == (STREAM, STREAM)
    followed = [
        path.name
        for path in (HERE / "recipes").iterdir()
        if "/var/log/jwtleak/alerts.jsonl" in path.read_text()
    ]
    assert len(followed) == 8


def test_the_collector_reads_what_is_written() -> None:
    """Times, severities and the id stand where the collector's recipe looks for them."""
    receiver = yaml.safe_load(read("recipes/otelcol.yaml"))["receivers"]["filelog/jwtleak"]
    parser, copied = receiver["operators"]
    assert parser["timestamp"]["parse_from"] == 'body["@timestamp"]'
    names = [
        one
        for value in parser["severity"]["mapping"].values()
        for one in ([value] if isinstance(value, str) else value)
    ]
    assert sorted(names) == sorted(SEVERITIES)
    assert {
        parser["severity"]["parse_from"].removeprefix("body."),
        copied["from"].removeprefix("body."),
    } <= set(written())


def tables() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every `[[sink]]` of the pages and recipes."""
    for path in sorted(HERE.rglob("*.md")):
        for block in re.findall(
            r"^ *```toml\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            yield from ((path.name, one) for one in tomllib.loads(block).get("sink", []))
    for path in sorted((HERE / "recipes").glob("*.toml")):
        yield from (
            (path.name, one) for one in tomllib.loads(path.read_text(encoding="utf-8"))["sink"]
        )


@pytest.mark.parametrize(("where", "table"), list(tables()))
def test_sinks_are_accepted(where: str, table: dict[str, Any]) -> None:
    """The program takes every sink that a page or recipe configures."""
    pytest.importorskip("jwtleak.sinks", reason="the sinks")
    settings = importlib.import_module("jwtleak.sinks.settings").from_table(table, where)
    assert settings.address.scheme == table["url"].partition(":")[0]
