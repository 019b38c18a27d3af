"""Writes the generated parts of README.md and docs/ from the code. Run it after a change; a test
compares the result.

    python docs/generate.py

A generated part is between `<!-- generated: NAME -->` and `<!-- end -->`; people write everything
else.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import click
import msgspec

from jwtleak.alerts.alert import Alert, json_schema
from jwtleak.assess import severity
from jwtleak.assess.policy import Allow
from jwtleak.assess.weaknesses import WEAKNESSES
from jwtleak.cli.main import main as program
from jwtleak.formats import cef, csv_, ecs, facts, gelf, layout, leef, levels, ocsf
from jwtleak.formats import interface as formats
from jwtleak.formats.layout import Field
from jwtleak.patterns.tables import load_claims, load_issuers, load_keys, load_notes, load_servers
from jwtleak.runtime.config import ConfigFile
from jwtleak.runtime.service.metrics import DECLARED
from jwtleak.types import Status

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "docs/how-to/mask-tokens.md",
    *(
        f"docs/reference/{name}.md"
        for name in ("cli", "alert", "severity", "bounds", "metrics", "configuration", "formats")
    ),
    *(f"docs/reference/{name}.md" for name in ("issuers", "weaknesses", "policy")),
)
_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SAMPLE = "docs/examples/logs/nginx/access.log"
_SAMPLE_OPTIONS = ("--now", "2026-01-15T12:00:00Z", "--jobs", "1")
_WIDTH = 110


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def sample_alert() -> str:
    """The sample alert as Markdown."""
    return f"```json\n{spread(sample())}\n```\n"


@lru_cache
def sample() -> dict[str, Any]:
    """The first alert from the sample access log, as the program writes it; the host's name is made
    up.
    """
    with tempfile.TemporaryDirectory() as state:
        key = Path(state, "jwtleak", "subject.key")
        key.parent.mkdir()
        key.write_bytes(b"the key of a sample installation"[:32].ljust(32, b"."))
        done = subprocess.run(
            [sys.executable, "-m", "jwtleak", "scan", _SAMPLE, *_SAMPLE_OPTIONS],
            cwd=ROOT,
            env={**os.environ, "XDG_STATE_HOME": state},
            stdout=subprocess.PIPE,
            check=False,
        )
    alert: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    alert["location"]["host"] = "web-01"
    return alert


def spread(alert: dict[str, Any]) -> str:
    """JSON with one line for each field, and lines of readable width inside objects."""
    fields = []
    for name, value in alert.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict) and len(text) > _WIDTH - 20:
            text = "{\n" + ",\n".join(f"    {line}" for line in _filled(value)) + "\n  }"
        fields.append(f"  {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _filled(value: dict[str, Any]) -> Iterator[str]:
    line = ""
    for key, inner in value.items():
        item = f"{json.dumps(key)}: {json.dumps(inner, ensure_ascii=False)}"
        if line and len(line) + len(item) > _WIDTH:
            yield line
            line = ""
        line += (", " if line else "") + item
    yield line


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n".join(_command(name, command) for name, command in _walk("jwtleak", program))


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _walk(f"{name} {inner}", found)


def _command(name: str, command: click.Command) -> str:
    arguments = [
        argument.metavar
        for argument in command.params
        if isinstance(argument, click.Argument) and argument.metavar
    ]
    inner = ["COMMAND"] if isinstance(command, click.Group) else []
    usage = " ".join([name, "[OPTIONS]", *arguments, *inner])
    text = inspect.cleandoc(command.help or "")
    options = [
        _option(option)
        for option in command.params
        if isinstance(option, click.Option) and "--help" not in option.opts and not option.hidden
    ]
    listed = table(("option", "value", "default", "meaning"), options) if options else ""
    return f"## `{name}`\n\n    {usage}\n\n{text}\n" + (f"\n{listed}" if listed else "")


def _option(option: click.Option) -> list[str]:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
    # The help text itself has a default that no value can express.
    meaning, _, said = (option.help or "").removesuffix("]").partition("[default: ")
    return [
        names,
        _value(option),
        f"`{option.default}`" if option.show_default else said,
        meaning.strip(),
    ]


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    kind = option.type
    if option.metavar:
        return f"`{option.metavar}`"
    if isinstance(kind, click.Choice):
        return ", ".join(f"`{choice}`" for choice in kind.choices)
    if isinstance(kind, click.IntRange):
        return f"{kind.min} to {kind.max}" if kind.max is not None else f"{kind.min} or more"
    return kind.name


def alert_fields() -> str:
    """One table for each object of the JSON Schema."""
    return "\n".join(_object(name, schema) for name, schema in json_schema()["$defs"].items())


def _object(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{field}`",
            _type(value),
            "yes" if field in required else "",
            value.get("description", ""),
        )
        for field, value in schema["properties"].items()
    ]
    fields = table(("field", "type", "always", "meaning"), rows)
    return f"### {name}\n\n{schema.get('description', '')}\n\n{fields}"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    bound = f", at most {schema['maxLength']} characters" if "maxLength" in schema else ""
    return f"{schema.get('type', 'any')}{bound}"


# The statuses in the order of the severity table.
_STATUSES: tuple[Status, ...] = (
    "live",
    "no_expiry",
    "not_yet_valid",
    "bad_expiry",
    "encrypted",
    "incomplete",
    "expired",
)
_CASES = (
    severity.Case(status="live", live_when_logged=None, signed=True, channel="url_query"),
    severity.Case(status="live", live_when_logged=None, signed=True, channel="header"),
    severity.Case(status="encrypted", live_when_logged=None, signed=True, channel="header"),
    severity.Case(status="expired", live_when_logged=False, signed=True, channel="header"),
)
# For each rule, the change to a case that makes the rule apply.
_SHOWN_BY: dict[str, dict[str, object]] = {
    "known_example": {"example": True},
    "published_key": {"signature": "published_key"},
    "weak_key": {"signature": "weak_key"},
    "public_by_design": {"public": True},
    "signature_valid": {"signature": "valid"},
    "admin_privilege": {"admin": True},
    "service_privilege": {"privilege": "service"},
    "long_lived_use": {"long_lived": True},
    "low_privilege": {"privilege": "low"},
    "signature_invalid": {"signature": "invalid"},
    "secret_claim": {"secret": True},
    "personal_data": {"personal": True},
}


def severity_rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Every line of the base table: status, live when logged, signed, exposure, severity."""
    for status in _STATUSES:
        for logged in (True, False) if status == "expired" else (None,):
            for signed in (True, False):
                for channel in ("url_query", "json_field"):
                    level = severity.base(status, logged, signed=signed, channel=channel)
                    live = "any" if logged is None else "yes" if logged else "no or unknown"
                    exposure = severity.exposure(channel)
                    yield status, live, "yes" if signed else "no", exposure, level


def severities() -> str:
    """The severity table."""
    return table(("status", "live when logged", "signed", "channel", "severity"), severity_rows())


def adjustment_rows() -> Iterator[tuple[str, ...]]:
    """Every line of the table of adjustments: code, when, effect, and the severity of four common
    cases after it.
    """
    for rule in severity.RULES:
        changed = (
            severity.severity(msgspec.structs.replace(case, **_SHOWN_BY[rule.code]))[0]
            for case in _CASES
        )
        yield rule.code, rule.when, rule.effect, *changed


def adjustments() -> str:
    """The table of adjustments."""
    cases = [
        f"{case.status}, {severity.exposure(case.channel)} ({severity.severity(case)[0]})"
        for case in _CASES
    ]
    rows = ((f"`{code}`", *more) for code, *more in adjustment_rows())
    return table(("reason", "when", "effect", *cases), rows)


def reasons() -> str:
    """The reasons in the base table of severity."""
    return table(
        ("reason", "meaning"),
        ((f"`{code}`", meaning) for code, meaning in severity.BASE_REASONS.items()),
    )


def issuers() -> str:
    """Every provider, its uses and how to revoke a token."""
    rows = []
    for issuer in load_issuers()[0]:
        for use in issuer.uses:
            steps = "; ".join(use.revoke or issuer.revoke)
            rows.append(
                (
                    f"[{issuer.name}]({issuer.reference})",
                    f"`{issuer.id}`",
                    f"`{use.use}`",
                    use.privilege,
                    steps,
                )
            )
    return table(("provider", "id", "use", "privilege", "to revoke it"), rows)


def uses() -> str:
    """Uses that any issuer's token can have, and the longest lifetime of each use."""
    _, any_issuer, limits = load_issuers()
    names = dict.fromkeys([*limits, *(use.use for use in any_issuer)])
    recognised = {use.use: "by `typ` or claim names, whoever issued it" for use in any_issuer}
    rows = (
        (
            f"`{name}`",
            recognised.get(name, "of known providers"),
            f"{limits.get(name, limits['other']):,} s",
        )
        for name in names
    )
    return table(("use", "recognised", "`long_lifetime` above"), rows)


def notes() -> str:
    """What is public by design, and what administers."""
    return table(
        ("note", "effect", "why", "reference"),
        ((f"`{note.id}`", note.effect, note.why, note.reference) for note in load_notes()),
    )


def keys() -> str:
    """Published keys, and where each is published."""
    return table(("id", "published in"), ((f"`{key.id}`", key.reference) for key in load_keys()[0]))


def weaknesses() -> str:
    """Every named weakness."""
    rows = (
        (f"`{name}`", weakness.meaning, ", ".join(weakness.references))
        for name, weakness in WEAKNESSES.items()
    )
    return table(("weakness", "meaning", "references"), rows)


def claims() -> str:
    """Names of claims that are personal data or secrets."""
    words = {"personal": "personal_data", "secret": "secret_claim"}
    rows = [
        (f"`{words[sort]}:{kind}`", ", ".join(f"`{name}`" for name in names))
        for sort, kinds in load_claims()[0].items()
        for kind, names in kinds.items()
    ]
    return table(("weakness", "names of claims"), rows)


def servers() -> str:
    """How each server keeps tokens out of its log."""
    rows = (
        (f"[{server.id}]({server.reference})", server.url, server.referer, server.header)
        for server in load_servers()
    )
    return table(
        ("server", "token in the URL", "token in the Referer", "token in a header or cookie"), rows
    )


def conditions() -> str:
    """The keys of a rule, from its type."""
    return (
        ", ".join(
            f"`{name}`" for name in Allow.__struct_fields__ if name not in ("reason", "until")
        )
        + "\n"
    )


def bounds() -> str:
    """Every bound of `docs/reference/bounds.toml` with its value in the code."""
    document = tomllib.loads((ROOT / "docs/reference/bounds.toml").read_text(encoding="utf-8"))
    parts = []
    for group in document["group"]:
        rows = [
            (
                bound["what"],
                shown(value_of(bound), bound["unit"]),
                f"`{bound['constant']}`",
                bound["why"],
            )
            for bound in group["bound"]
        ]
        parts.append(
            f"### {group['title']}\n\n{table(('bound', 'value', 'constant', 'why'), rows)}"
        )
    return "\n".join(parts)


def value_of(bound: dict[str, str]) -> Any:
    """The value in the code of a bound `module:NAME` or `module:Class.field` (its default)."""
    module, _, path = bound["constant"].partition(":")
    value: Any = importlib.import_module(f"jwtleak.{module}")
    for name in path.split("."):
        value = getattr(value() if isinstance(value, type) else value, name)
    return value


def shown(value: float, unit: str) -> str:
    """`65536` bytes as `64 KiB`; other units behind the number."""
    if unit != "bytes":
        return f"{value:,} {unit}".rstrip()
    for size, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= size and value % size == 0:
            return f"{int(value) // size} {name}"
    return f"{value:,} bytes"


def configuration() -> str:
    """Every key of the sections that have no page of their own."""
    _, parts = msgspec.json.schema_components([ConfigFile])
    sections = (("tail", "TailSection"), ("metrics", "MetricsSection"), ("log", "LogSection"))
    return "\n".join(f"## `[{name}]`\n\n{_keys(parts[part])}" for name, part in sections)


def _default(schema: dict[str, Any]) -> str:
    default = schema.get("default")
    return "" if default in (None, []) else f"`{json.dumps(default)}`"


def _keys(schema: dict[str, Any]) -> str:
    rows = [
        (f"`{name}`", _type(value).removesuffix(" or null"), _default(value), _said(value))
        for name, value in schema["properties"].items()
    ]
    return table(("key", "value", "default", "meaning"), rows)


def _said(schema: dict[str, Any]) -> str:
    """The description, which is beside or inside the choices of a type."""
    return str(
        schema.get("description")
        or next((_said(part) for part in schema.get("anyOf", ()) if _said(part)), "")
    )


def metrics() -> str:
    """Every metric that is declared."""
    rows = [
        (
            f"`{metric.name}`",
            metric.kind,
            ", ".join(f"`{name}`" for name in metric.labels),
            metric.help,
        )
        for metric in DECLARED
    ]
    return table(("metric", "kind", "labels", "what it counts"), rows)


def scale() -> str:
    """Severities in the terms of each receiver."""
    head = (
        "jwtleak",
        "ECS `event.severity`",
        "OCSF `severity_id`",
        "CEF, LEEF",
        "syslog, GELF",
        "OTLP",
        "SARIF",
        "Splunk CIM",
        "GitLab",
    )
    rows = [
        (
            name,
            *map(str, (level.ecs, level.ocsf, level.cef, level.syslog, level.otlp)),
            f"{level.sarif} / {level.sarif_score}",
            level.cim,
            level.gitlab,
        )
        for name, level in levels.LEVELS.items()
    ]
    return table(head, rows)


def drop_order() -> str:
    """The fields that an event over its size loses, first to last."""
    words = {"attack": "the techniques of MITRE ATT&CK", "host_again": "lists that repeat the host"}
    return (
        ", ".join(
            words.get(fact, f"`{fact}*`" if fact.endswith(".") else f"`{fact}`")
            for fact in facts.DROP
        )
        + ".\n"
    )


def fields_of(fields: Iterable[Field], prefix: str = "") -> str:
    """A table of where each fact goes."""
    return table(
        ("field", "type", "from"),
        [(f"`{prefix}{field.target}`", field.type, f"`{field.source}`") for field in fields],
    )


def cef_keys() -> str:
    """The keys of CEF, and the contents of `cs5`."""
    rows = [(f"`{key.key}`", key.label, f"`{key.source}`") for key in cef.KEYS]
    inside = ", ".join(f"`{field.target}`" for field in cef.DETAILS.fields)
    return (
        table(("key", "label", "from"), rows)
        + f"\nThe JSON in `cs5` (label `details`) holds {inside}.\n"
    )


def named(pairs: Iterable[tuple[str, str]]) -> str:
    """A table of names and their facts."""
    return table(("name", "from"), [(f"`{name}`", f"`{source}`") for name, source in pairs])


def sample_in(name: str) -> str:
    """The sample alert in a format."""
    alert = msgspec.convert(sample(), Alert)
    options = formats.FormatOptions(root="/srv/logs")
    if name not in formats.DOCUMENTS:
        return _block(formats.by_name(name, options).encode(alert).decode())
    form = formats.document(name, options)
    ending = formats.Ending("2026-01-15T12:00:00.000Z", "2026-01-15T12:00:01.250Z")
    return _block((form.begin() + form.encode(alert) + form.end(ending)).decode())


def _block(text: str) -> str:
    kind, shown = (
        ("json", pretty(json.loads(text)))
        if text.startswith("{")
        else ("text", text.replace("\r", ""))
    )
    return f"```{kind}\n{shown.rstrip()}\n```\n"


def pretty(value: Any, indent: int = 0) -> str:
    """JSON in which each value that fits on a line is on one line."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) + indent <= _WIDTH or not isinstance(value, dict | list):
        return text
    space = " " * (indent + 2)
    if isinstance(value, list):
        return (
            "[\n"
            + ",\n".join(space + pretty(item, indent + 2) for item in value)
            + f"\n{' ' * indent}]"
        )
    lines = [f"{space}{json.dumps(key)}: {pretty(item, indent + 2)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{' ' * indent}}}"


def component_template() -> str:
    """Elasticsearch's mappings: a type for every field that is written in ECS, and no others."""
    properties: dict[str, Any] = {}
    for field in (
        *ecs.FIELDS,
        *ecs.CONSTANTS,
        *(field._replace(target=f"jwtleak.{field.target}") for field in layout.CUSTOM_FIELDS),
    ):
        place = properties
        *above, name = field.target.split(".")
        for step in above:
            place = place.setdefault(step, {}).setdefault("properties", {})
        place[name] = {"type": "match_only_text" if field.type == "text" else field.type}
        if field.type == "keyword":
            place[name]["ignore_above"] = 1024
    properties["event"]["properties"]["ingested"] = {"type": "date"}
    meta = {"description": "Fields of jwtleak's alerts; written by docs/generate.py"}
    template = {
        "template": {"mappings": {"dynamic": False, "properties": properties}},
        "_meta": meta,
    }
    return pretty(template) + "\n"


# Whole files that the program knows.
FILES: dict[str, Callable[[], str]] = {
    "docs/integrations/elastic/component-template.json": component_template
}

PARTS: dict[str, Callable[[], str]] = {
    "alert": sample_alert,
    "commands": commands,
    "alert-fields": alert_fields,
    "severities": severities,
    "adjustments": adjustments,
    "reasons": reasons,
    "issuers": issuers,
    "uses": uses,
    "notes": notes,
    "keys": keys,
    "weaknesses": weaknesses,
    "claims": claims,
    "servers": servers,
    "conditions": conditions,
    "bounds": bounds,
    "metrics": metrics,
    "configuration": configuration,
    "scale": scale,
    "drop-order": drop_order,
    "custom-fields": lambda: fields_of(layout.CUSTOM_FIELDS, "jwtleak."),
    "ecs-fields": lambda: fields_of(ecs.FIELDS),
    "ocsf-fields": lambda: fields_of(ocsf.FIELDS),
    "cef-keys": cef_keys,
    "leef-attributes": lambda: named(
        (*leef.KNOWN, *((name, source) for name, source, _ in leef.OWN))
    ),
    "gelf-fields": lambda: named(gelf.KNOWN),
    "csv-columns": lambda: ", ".join(f"`{column}`" for column in csv_.COLUMNS) + ".\n",
    **{f"sample-{name}": partial(sample_in, name) for name in formats.NAMES if name != "json"},
}


def generated(page: str) -> str:
    """`page` with its generated parts written again."""
    return _PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], page)


def main() -> None:
    """Write all pages and files."""
    for name in PAGES:
        path = ROOT / name
        path.write_text(generated(path.read_text(encoding="utf-8")), encoding="utf-8")
    for name, make in FILES.items():
        (ROOT / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
